"""What verification wrote beside a training, as far as it is of one model.

 * of several lists the newest calibration counts, and the error rates and
   subgroups that were written with it; without one the newest error rates
 * files that name another model, or none, are left out with a word in the
   log: a card must not carry the numbers of another checkpoint

Authors
 * The speechbrain_moe developers 2026
"""

import json
import logging
from pathlib import Path
from typing import NamedTuple

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.package import HPARAMS_FILE

logger = logging.getLogger(__name__)
METRICS_FILE = "metrics.json"
CALIBRATION_FILE = "calibration.json"


class Measured(NamedTuple):
    """What is known of a model's errors.

    Arguments
    ---------
    metrics : dict or None
        What metrics.json holds.
    calibration : dict or None
        What calibration.json holds.
    subgroups : str
        What subgroups.md holds, or nothing.

    Example
    -------
    >>> Measured().metrics is None
    True
    """

    metrics: dict | None = None
    calibration: dict | None = None
    subgroups: str = ""


def find_measured(experiment_folder, model_key):
    """The newest results of one model below a training folder.

    Arguments
    ---------
    experiment_folder : str or Path
        The ``output_folder`` of a training; verification writes into folders
        there named after trial lists.
    model_key : str
        What ``encoder_key`` says of the model.

    Returns
    -------
    Measured
        Empty where nothing of this model was measured.

    Raises
    ------
    PackageError
        If a file is damaged.

    Example
    -------
    >>> find_measured(getfixture("tmp_path"), "a hash")
    Measured(metrics=None, calibration=None, subgroups='')
    """
    found = [
        read_results(folder, model_key)
        for folder in newest_first(experiment_folder)
    ]
    # A sort keeps the order of those that are alike
    found.sort(key=lambda one: (one.calibration is None, one.metrics is None))
    return found[0] if found else Measured()


def newest_first(folder):
    """Folders with results, one level down, the last written first."""
    files = [
        path
        for name in (METRICS_FILE, CALIBRATION_FILE)
        for path in Path(folder).glob(f"*/{name}")
        if not (path.parent / HPARAMS_FILE).exists()  # a package
    ]
    times = {path.parent: 0 for path in sorted(files)}
    for path in files:
        time = path.stat().st_mtime_ns
        times[path.parent] = max(times[path.parent], time)
    return sorted(times, key=lambda one: -times[one])


def read_results(folder, model_key):
    """What one folder says of a model.

    Arguments
    ---------
    folder : Path
        Where verification wrote.
    model_key : str
        What ``encoder_key`` says of the model.

    Returns
    -------
    Measured
        Empty, with a word in the log, where it is of another model.

    Raises
    ------
    PackageError
        If a file is damaged.
    """
    metrics = read_json(folder / METRICS_FILE)
    calibration = read_json(folder / CALIBRATION_FILE)
    of_calibration = calibration.get("model")
    # Error rates of steps were written right after the calibration
    beside = of_calibration if "steps" in metrics else None
    if metrics.get("model", beside) != model_key:
        metrics = {}
    if of_calibration != model_key or not calibration.get("calibrations"):
        calibration = {}
    if not metrics and not calibration:
        logger.warning(
            "%s is not of the checkpoint that is exported, or does not say "
            "of which; left out: verify again, then export",
            folder,
        )
    groups = folder / "subgroups.md"
    has_groups = metrics.get("subgroup_gaps") and groups.is_file()
    text = groups.read_text(encoding="utf-8") if has_groups else ""
    return Measured(metrics or None, calibration or None, text)


def read_json(path):
    """Read an object from a JSON file.

    Arguments
    ---------
    path : Path
        The file.

    Returns
    -------
    dict
        What it holds; nothing where there is no file.

    Raises
    ------
    PackageError
        If it is damaged.
    """
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")).items())
    except (ValueError, AttributeError) as error:
        raise PackageError(
            f"{path} is damaged ({error}); verify again, or remove it"
        ) from error
