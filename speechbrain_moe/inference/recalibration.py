"""Calibration and thresholds from one's own recordings.

 * learnt from the cosines of a labelled list; a threshold with too few
   errors behind it is refused, with the reason
 * a calibrated copy of a package says on its card what it was learnt from,
   and its manifest is written anew
 * the copy appears whole or not at all

Authors
 * The speechbrain_moe developers 2026
"""

import json
import re
import shutil
from pathlib import Path

from speechbrain_moe.errors import PackageError
from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.export import check_free, written_aside
from speechbrain_moe.inference.manifest import CARD_FILE, sign_package
from speechbrain_moe.inference.measured import CALIBRATION_FILE
from speechbrain_moe.scoring.calibration import fit_calibration
from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.thresholds import decision_thresholds

P_TARGET = 0.05  # prior that the calibration cares for most
# Ten for each of a line's two numbers: Peduzzi et al., J. Clin. Epidemiol. 1996
MIN_TRIALS = 20  # of each kind
NOTE = (
    "> Calibrated anew: `calibration.json` was learnt from {list}, "
    "{n_trials} trials, {n_target} of them of one speaker. Thresholds and "
    "calibrated figures on this card are those of before.\n"
)


def learn_calibration(trials, scores, model_key, name):
    """What calibration.json holds, from cosines of a labelled list.

    Arguments
    ---------
    trials : Trials
        Of speakers that neither training nor tests of the model know.
    scores : np.ndarray
        Their cosines.
    model_key : str
        Of the model.
    name : str
        Of the list, for the record.

    Returns
    -------
    dict
        Calibration of the cosine and thresholds on it, plain values; below
        20 trials of a kind no calibration, and ``llr_reason``.

    Raises
    ------
    InputError
        If a class is missing, or the cosine says nothing of the speaker.

    Example
    -------
    >>> import numpy as np
    >>> from speechbrain_moe.scoring.trials import Trials
    >>> labels, scores = np.repeat([0, 1], 3), np.array([0, 1, 4, 3, 6, 7]) / 9
    >>> trials = Trials(labels, ["a"] * 6, ["b"] * 6)
    >>> found = learn_calibration(trials, scores, "key", "mine.txt")
    >>> found["thresholds"]["cosine"]["eer"]["value"] is None
    True
    """
    labels = trials.labels
    equal_error_rate(labels, scores)  # a class that is missing, in words
    reason, calibrations = few_trials(labels), {}
    if reason is None:
        found = fit_calibration(labels, {"cosine": scores}, P_TARGET)
        calibrations["llr_cosine"] = found.to_dict()
    thresholds = decision_thresholds(labels, scores)
    return {
        "list": name,
        "p_target": P_TARGET,
        "n_trials": len(labels),
        "n_target": int(labels.sum()),
        "model": model_key,
        "calibrations": calibrations,
        "llr_reason": reason,
        "thresholds": {
            "cosine": {name: t._asdict() for name, t in thresholds.items()}
        },
    }


def few_trials(labels):
    """Why a log-likelihood ratio cannot be learnt.

    Arguments
    ---------
    labels : np.ndarray
        Of the trials, 0 or 1.

    Returns
    -------
    str or None
        None where there are trials enough.

    Example
    -------
    >>> import numpy as np
    >>> few_trials(np.repeat([0, 1], [500, 3]))
    '3 trials of one speaker, 20 wanted for a log-likelihood ratio'
    """
    n_target = int(labels.sum())
    counts = {"one speaker": n_target, "two": len(labels) - n_target}
    for kind, count in counts.items():
        if count < MIN_TRIALS:
            return (
                f"{count} trials of {kind}, {MIN_TRIALS} wanted for a "
                "log-likelihood ratio"
            )
    return None


def write_calibration(path, content):
    """Write calibration.json, whole or not at all.

    Arguments
    ---------
    path : str or Path
        File to write.
    content : dict
        What ``learn_calibration`` returned.
    """
    write_whole(path, json.dumps(content, indent=2) + "\n")


def copy_calibrated(package, out, content):
    """Write a copy of a package with another calibration.

    Arguments
    ---------
    package : str or Path
        The package.
    out : str or Path
        Folder to write; an older package there is replaced.
    content : dict
        What ``learn_calibration`` returned.

    Raises
    ------
    PackageError
        If the package has no manifest, or ``check_copy`` refuses.
    """
    package, out = Path(package), Path(out)
    check_copy(package, out)
    with written_aside(out) as aside:
        visible = shutil.ignore_patterns(".*")
        shutil.copytree(package, aside, ignore=visible, dirs_exist_ok=True)
        write_calibration(aside / CALIBRATION_FILE, content)
        write_note(aside / CARD_FILE, NOTE.format(**content))
        sign_package(aside)


def check_copy(package, out):
    """Refuse a folder that a calibrated copy cannot be written to.

    Arguments
    ---------
    package : str or Path
        The package.
    out : str or Path
        Folder to write.

    Raises
    ------
    PackageError
        If it is the package itself, within it, or holds something else, or
        the package's card cannot be read.
    """
    package, folder = Path(package).resolve(), Path(out).resolve()
    if package in (folder, *folder.parents):
        raise PackageError(
            f"{out} is the package itself, or within it; give a new folder"
        )
    check_free(Path(out))
    try:
        (package / CARD_FILE).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PackageError(
            f"{package / CARD_FILE} is no UTF-8 text ({error}); save it so"
        ) from error
    except OSError:  # a package may lack its card
        pass


def write_note(path, note):
    """Put a note above the first section of a card, in place of an older.

    Arguments
    ---------
    path : Path
        README.md, if there is one.
    note : str
        One line, ended.

    Example
    -------
    >>> path = getfixture("tmp_path") / "README.md"
    >>> _ = path.write_text("# Voices\\n\\n## Use\\n")
    >>> write_note(path, "> Calibrated anew: once.\\n")
    >>> write_note(path, "> Calibrated anew: twice.\\n")
    >>> path.read_text()
    '# Voices\\n\\n> Calibrated anew: twice.\\n\\n## Use\\n'
    """
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^> Calibrated anew: .*\n\n", "", text)
    write_whole(path, re.sub(r"(?m)^## ", f"{note}\n## ", text, count=1))
