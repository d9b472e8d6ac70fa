"""Cosine, AS-norm and log-likelihood ratio: the steps and what they need.

 * everything is learnt from a training's own files, nothing from the list
   that is scored: the cohort from speakers trained on, calibration and
   thresholds from dev speakers, who are not
 * the checkpoint was chosen by the dev speakers, so what is learnt of them
   is a little too good

Authors
 * The speechbrain_moe developers 2026
"""

import hashlib
import logging
from typing import NamedTuple

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.recalibration import P_TARGET
from speechbrain_moe.scoring.as_norm import as_norm_trials
from speechbrain_moe.scoring.calibration import (
    fit_calibration,
    quality_columns,
)
from speechbrain_moe.scoring.thresholds import decision_thresholds
from speechbrain_moe.scoring.trials import trial_scores

logger = logging.getLogger(__name__)


class Cohort(NamedTuple):
    """Speakers that scores are normalised by.

    Arguments
    ---------
    embeddings : np.ndarray
        Mean of each speaker [N, D], length 1.
    speakers : list of str
        Their names, N.
    """

    embeddings: np.ndarray
    speakers: list[str]

    @property
    def key(self):
        """A hash of the embeddings."""
        rounded = np.round(self.embeddings, 5).astype(np.float32) + 0.0
        return hashlib.sha256(rounded.tobytes()).hexdigest()


class Learnt(NamedTuple):
    """What dev speakers taught.

    Arguments
    ---------
    calibrations : dict of Calibration
        By the step that they make.
    thresholds : dict of dict
        By step, then by name: value (None if refused), n_errors, reason.
    about : dict
        Counts and origin, for the record.
    """

    calibrations: dict
    thresholds: dict
    about: dict


NOTHING = Learnt({}, {}, {})


def score_columns(found, trials, cohort=None, top_n=300):
    """Scores and qualities of trials, from embeddings.

    Arguments
    ---------
    found : FileEmbeddings
        Of all files of the trials.
    trials : Trials
        What to compare.
    cohort : Cohort, optional
        Without one there is no AS-norm.
    top_n : int
        Cohort speakers that count.

    Returns
    -------
    dict of np.ndarray
        cosine, as_norm with a cohort, and minimum and maximum of
        log_duration, log_magnitude and entropy of both sides.
    """
    table = found.embeddings, found.paths, trials
    if cohort is None:
        columns = {"cosine": trial_scores(*table)}
    else:
        normed = as_norm_trials(*table, cohort.embeddings, top_n)
        columns = normed._asdict()
    qualities = {
        "log_duration": np.log(found.quality["duration_s"]),
        "log_magnitude": np.log(found.quality["magnitude"]),
        "entropy": found.quality["entropy"],
    }
    rows = {path: row for row, path in enumerate(found.paths)}
    enrol = [rows[path] for path in trials.enrol]
    test = [rows[path] for path in trials.test]
    for name, values in qualities.items():
        columns |= quality_columns(name, values[enrol], values[test])
    return columns


def inputs_of(columns):
    """Columns that each calibration reads, by the step that it makes.

    Arguments
    ---------
    columns : dict of np.ndarray
        What ``score_columns`` returned.

    Returns
    -------
    dict of list of str
        llr_cosine; with AS-norm also llr, and llr_quality, which knows the
        quality of both sides.

    Example
    -------
    >>> inputs_of({"cosine": [], "as_norm": [], "entropy_min": []})["llr"]
    ['as_norm']
    """
    steps = {"llr_cosine": ["cosine"]}
    if "as_norm" in columns:
        known = [name for name in columns if name != "cosine"]
        steps |= {"llr": ["as_norm"], "llr_quality": known}
    return steps


def learn(trials, columns):
    """Fit calibrations and thresholds.

    Arguments
    ---------
    trials : Trials
        Of dev speakers.
    columns : dict of np.ndarray
        Their scores and qualities.

    Returns
    -------
    Learnt
        A calibration that cannot be fitted is left out; about says why.
    """
    calibrations, refused = {}, {}
    for step, names in inputs_of(columns).items():
        chosen = {name: columns[name] for name in names}
        try:
            calibrations[step] = fit_calibration(
                trials.labels, chosen, P_TARGET
            )
        except InputError as error:
            logger.warning("no %s: %s", step, error)
            refused[step] = str(error)
    thresholds = {
        step: {
            name: threshold._asdict()
            for name, threshold in decision_thresholds(
                trials.labels, scores
            ).items()
        }
        for step, scores in step_scores(columns, calibrations).items()
    }
    about = {
        "p_target": P_TARGET,
        "n_trials": len(trials.labels),
        "n_target": int(trials.labels.sum()),
        "not_calibrated": refused,
    }
    return Learnt(calibrations, thresholds, about)


def step_scores(columns, calibrations):
    """Scores of every step there is.

    Arguments
    ---------
    columns : dict of np.ndarray
        What ``score_columns`` returned.
    calibrations : dict of Calibration
        By step.

    Returns
    -------
    dict of np.ndarray
        cosine, as_norm with a cohort, then the calibrated ones. The cosine
        is calibrated by itself only where there is no AS-norm.
    """
    steps = {n: columns[n] for n in ("cosine", "as_norm") if n in columns}
    for step, names in inputs_of(columns).items():
        superseded = step == "llr_cosine" and "as_norm" in columns
        if step in calibrations and not superseded:
            chosen = {name: columns[name] for name in names}
            steps[step] = calibrations[step].apply(chosen)
    return steps
