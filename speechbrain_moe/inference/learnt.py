"""What a package learnt of its scores: calibration and thresholds.

 * thresholds stand on the cosine; by name they come from calibration.json,
   which was fitted to speakers that training did not see
 * the log-likelihood ratio is the calibrated cosine; a probability is it
   with a prior, which only the user knows
 * the file names the model it is of; for another one it counts as absent

Authors
 * The speechbrain_moe developers 2026
"""

import json
import logging
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from huggingface_hub.errors import EntryNotFoundError
from scipy.special import expit
from speechbrain.utils.fetching import FetchFrom, fetch, guess_source

from speechbrain_moe.errors import InputError, PackageError
from speechbrain_moe.inference.collected import NO_NETWORK
from speechbrain_moe.inference.hub_errors import hub_errors
from speechbrain_moe.inference.measured import CALIBRATION_FILE
from speechbrain_moe.scoring.calibration import Calibration
from speechbrain_moe.scoring.thresholds import FALSE_ALARM_RATES

logger = logging.getLogger(__name__)
THRESHOLDS = ("eer", *FALSE_ALARM_RATES)


class Learnt(NamedTuple):
    """What a package knows of its scores.

    Arguments
    ---------
    calibration : Calibration or None
        From cosine to log-likelihood ratio.
    thresholds : dict of dict
        On the cosine by name: value (None if refused), reason.
    missing : str
        Why there is neither, for the reason of a decision.

    Example
    -------
    >>> Learnt(None, {}, "not measured").missing
    'not measured'
    """

    calibration: Calibration | None
    thresholds: dict
    missing: str


NOTHING_LEARNT = Learnt(None, {}, f"the package has no {CALIBRATION_FILE}")


def fetch_calibration(source, settings):
    """Local path of a package's calibration.json, or why there is none.

    Arguments
    ---------
    source : str, Path or FetchSource
        What ``from_hparams`` was given.
    settings : dict
        Its keyword arguments.

    Returns
    -------
    path : Path or None
        The file.
    missing : str
        Why it is None.

    Raises
    ------
    PackageError
        If the Hub refuses it, for another reason than that there is none.
    """
    origin, place = guess_source(source)
    absent = NOTHING_LEARNT.missing
    if origin == FetchFrom.LOCAL:
        path = Path(place) / CALIBRATION_FILE
        return (path if path.is_file() else None), absent
    wanted = ("savedir", "local_strategy", "fetch_config")
    given = {key: settings[key] for key in wanted if key in settings}
    revision = getattr(given.get("fetch_config"), "revision", None)
    try:
        with hub_errors(place, revision or "main"):
            return fetch(CALIBRATION_FILE, source, **given), absent
    except PackageError as error:
        if isinstance(error.__cause__, NO_NETWORK):
            return None, f"its {CALIBRATION_FILE} could not be fetched"
        # ValueError: of a source that is neither folder nor Hub
        if isinstance(error.__cause__, (EntryNotFoundError, ValueError)):
            return None, absent
        raise


def read_learnt(path, model_key):
    """Read thresholds and calibration of a package.

    Arguments
    ---------
    path : str or Path
        calibration.json.
    model_key : str
        What ``encoder_key`` says of the model.

    Returns
    -------
    Learnt
        Empty, with the reason, when the file is of another model.

    Raises
    ------
    PackageError
        If the file is damaged.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        stored = content["calibrations"].get("llr_cosine")
        found = Learnt(
            stored and Calibration.from_dict(stored),
            {
                name: checked_row(content["thresholds"]["cosine"][name])
                for name in THRESHOLDS
            },
            content.get("llr_reason") or "the cosine could not be calibrated",
        )
        of_this_model = content["model"] == model_key
        check_slope(found.calibration)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PackageError(
            f"{path}: no whole calibration ({error!r}); export or fetch the "
            "package again"
        ) from error
    if not of_this_model:
        missing = f"{path} is of another model or other settings"
        logger.warning("%s", missing)
        return NOTHING_LEARNT._replace(missing=missing)
    return found


def check_slope(calibration):
    """Refuse a ratio that does not grow with the cosine.

    Arguments
    ---------
    calibration : Calibration or None
        Of the cosine.

    Raises
    ------
    ValueError
        If its weight is not above zero.

    Example
    -------
    >>> check_slope(Calibration(("cosine",), (0.0,), 1.0))
    Traceback (most recent call last):
    ...
    ValueError: the weight of the cosine is 0.0, wanted above 0
    """
    if calibration is not None and not calibration.weights[0] > 0:
        raise ValueError(
            f"the weight of the cosine is {calibration.weights[0]}, wanted "
            "above 0"
        )


def checked_row(row):
    """A threshold of calibration.json, if it can be one.

    Arguments
    ---------
    row : dict
        ``value``, a cosine, or None and a ``reason``.

    Returns
    -------
    dict
        The row.

    Raises
    ------
    ValueError
        If the value is no cosine.

    Example
    -------
    >>> checked_row({"value": 7.0})
    Traceback (most recent call last):
    ...
    ValueError: a threshold is 7.0, which is no cosine
    """
    value = row["value"]
    if value is None:
        _ = row["reason"]
    elif isinstance(value, bool) or not -1 <= value <= 1:
        raise ValueError(f"a threshold is {value}, which is no cosine")
    return row


def find_threshold(threshold, learnt):
    """The threshold on the cosine, or why there is none.

    Arguments
    ---------
    threshold : str or float
        eer, far1, far0.1, or a cosine in [-1, 1].
    learnt : Learnt
        What the package knows.

    Returns
    -------
    value : float or None
        On the cosine.
    reason : str or None
        Why it is None.

    Raises
    ------
    InputError
        If the name is unknown or the number out of range.

    Example
    -------
    >>> find_threshold(0.5, NOTHING_LEARNT)
    (0.5, None)
    >>> find_threshold("far1", NOTHING_LEARNT)[1]
    'no threshold far1: the package has no calibration.json; give a cosine'
    """
    if isinstance(threshold, str):
        if threshold not in THRESHOLDS:
            raise InputError(
                f"threshold {threshold!r} is unknown; give one of "
                f"{', '.join(THRESHOLDS)}, or a cosine from -1 to 1"
            )
        row = learnt.thresholds.get(threshold)
        if row and row["value"] is not None:
            return float(row["value"]), None
        why = row["reason"] if row else learnt.missing
        return None, f"no threshold {threshold}: {why}; give a cosine"
    number = isinstance(threshold, (int, float, np.number))
    if isinstance(threshold, bool) or not number or not -1 <= threshold <= 1:
        raise InputError(
            f"threshold is {threshold!r}; give one of {', '.join(THRESHOLDS)}, "
            "or a cosine from -1 to 1"
        )
    return float(threshold), None


def calibrate(score, learnt, prior):
    """Log-likelihood ratio and probability of a cosine.

    Arguments
    ---------
    score : float or None
        The cosine.
    learnt : Learnt
        What the package knows.
    prior : float
        Probability of the same speaker before hearing anything.

    Returns
    -------
    llr, probability : float or None
        None without a calibration or a score.

    Raises
    ------
    InputError
        If prior is not above 0 and below 1.

    Example
    -------
    >>> learnt = Learnt(Calibration(("cosine",), (20.0,), -5.0), {}, "")
    >>> calibrate(0.25, learnt, prior=0.01)
    (0.0, 0.01)
    """
    number = isinstance(prior, (int, float, np.number))
    if not number or not 0 < prior < 1:
        raise InputError(f"prior is {prior!r}; give above 0 and below 1")
    if score is None or learnt.calibration is None:
        return None, None
    llr = float(learnt.calibration.apply({"cosine": [score]})[0])
    odds = llr + math.log(prior / (1 - prior))
    return llr, round(float(expit(odds)), 12)
