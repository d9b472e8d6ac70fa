"""Who of several enrolled voices a recording is of, or nobody of them.

 * one matrix product compares with everybody
 * the more are enrolled, the likelier one of them is near by chance: a
   threshold by name is raised by log N on the log-likelihood ratio
 * the probability is shared among all enrolled and nobody
 * a recording that is not good enough gives no decision, and the reason

Shape letters: N enrolled voices, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.decisions import (
    UNKNOWN,
    find_objections,
    voice_dict,
)
from speechbrain_moe.inference.learnt import calibrate, find_threshold
from speechbrain_moe.inference.voices import Voice


class Identification(NamedTuple):
    """Who of the enrolled a recording is of.

    Arguments
    ---------
    name : str or None
        The nearest voice, ``unknown`` when its score is below the
        threshold, None when there is no decision.
    scores : dict of float
        Cosine by name, the nearest first; empty without an embedding.
    llr : float or None
        Of the nearest alone, natural log; None without a calibration.
    probability : float or None
        That the nearest is the speaker, given all scores, if each enrolled
        was equally likely; see ``share_probability``.
    threshold : float or None
        On the cosine, raised for the number enrolled if given by name.
    n_enrolled : int
        Voices compared with, all that there are.
    reason : str or None
        Why there is no decision.
    test : Voice
        The recording.

    Example
    -------
    >>> scores = {"ann": 0.8, "bob": 0.1}
    >>> Identification("ann", scores, 9.0, 0.99, 0.5, 2, None, None).name
    'ann'
    """

    name: str | None
    scores: dict[str, float]
    llr: float | None
    probability: float | None
    threshold: float | None
    n_enrolled: int
    reason: str | None
    test: Voice

    def to_dict(self):
        """Plain values, for JSON; the embedding left out.

        Returns
        -------
        dict
            The fields; the Voice as dict of path, quality, faults, experts.
        """
        return self._asdict() | {"test": voice_dict(self.test)}


def raise_threshold(threshold, learnt, n_enrolled):
    """The threshold on the cosine for the nearest of several voices.

    Each of N voices has an N-th of the prior of one, so that log N more is
    asked of the log-likelihood ratio at the same costs of errors. Without it
    N voices raise up to N times as many false alarms. With it they stay
    within exp(-L) in all for a threshold at a ratio of L, as those of one
    comparison do, since calibrated ratios of different speakers exceed L
    with at most that probability. A number is taken as it is.

    Arguments
    ---------
    threshold : str or float
        eer, far1, far0.1, or a cosine in [-1, 1].
    learnt : Learnt
        Thresholds and calibration.
    n_enrolled : int
        Voices compared with, 1 or more.

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
    >>> from speechbrain_moe.inference.learnt import Learnt
    >>> from speechbrain_moe.scoring.calibration import Calibration
    >>> row = {"value": 0.3, "reason": None}
    >>> calibration = Calibration(("cosine",), (20.0,), -5.0)
    >>> learnt = Learnt(calibration, {"eer": row}, "")
    >>> value, _ = raise_threshold("eer", learnt, n_enrolled=100)
    >>> round(value, 4)
    0.5303
    """
    value, reason = find_threshold(threshold, learnt)
    if reason or n_enrolled == 1 or not isinstance(threshold, str):
        return value, reason
    if learnt.calibration is None:
        return None, (
            f"threshold {threshold} is of one comparison, and without a "
            f"calibration not known for {n_enrolled}; give a cosine"
        )
    raised = value + math.log(n_enrolled) / learnt.calibration.weights[0]
    if raised > 1:
        return None, (
            f"{n_enrolled} voices are too many for this model to tell from "
            f"chance at threshold {threshold}; give a cosine"
        )
    return raised, None


def share_probability(scores, learnt, prior):
    """Probability that the nearest of the enrolled voices is the speaker.

    Before hearing anything, each of N is the speaker with prior / N, and
    nobody of them with 1 - prior. Two voices that are as near share what
    one of them would have; for N = 1 it is the probability of ``verify``.
    Scores are taken to be independent, given the speaker.

    Arguments
    ---------
    scores : np.ndarray
        Cosines [N].
    learnt : Learnt
        Calibration.
    prior : float
        Probability that the speaker is one of the enrolled, above 0, below 1.

    Returns
    -------
    llr, probability : float or None
        Of the nearest; None without a calibration.

    Raises
    ------
    InputError
        If prior is not above 0 and below 1.

    Example
    -------
    >>> from speechbrain_moe.inference.learnt import Learnt
    >>> from speechbrain_moe.scoring.calibration import Calibration
    >>> learnt = Learnt(Calibration(("cosine",), (20.0,), -5.0), {}, "")
    >>> share_probability(np.array([0.25, 0.25]), learnt, prior=0.5)
    (0.0, 0.25)
    """
    llr, probability = calibrate(float(scores.max()), learnt, prior)
    if llr is None or len(scores) == 1:
        return llr, probability
    llrs = learnt.calibration.apply({"cosine": scores})
    odds = llrs + math.log(prior / len(llrs))
    total = logsumexp([logsumexp(odds), math.log1p(-prior)])
    return llr, round(float(np.exp(odds.max() - total)), 12)


def rank(scores, n_nearest=None):
    """Indices of the highest scores, the highest first.

    Arguments
    ---------
    scores : np.ndarray
        Any numbers [N].
    n_nearest : int, optional
        How many; all by default.

    Returns
    -------
    np.ndarray
        Indices, int64; the earlier of equal scores first.

    Example
    -------
    >>> rank(np.array([0.1, 0.9, 0.5, 0.9]), 2).tolist()
    [1, 3]
    """
    few = np.arange(len(scores))
    if n_nearest is not None and n_nearest < len(scores):
        least = np.partition(scores, -n_nearest)[-n_nearest]
        few = np.flatnonzero(scores >= least)
    return few[np.argsort(-scores[few], kind="stable")][:n_nearest]


def check_n_nearest(n_nearest):
    """Refuse a number of scores that cannot be told."""
    if n_nearest is None:
        return
    if not isinstance(n_nearest, (int, np.integer)) or n_nearest < 1:
        raise InputError(f"n_nearest is {n_nearest!r}; give 1 or more")


def pick(
    names,
    embeddings,
    test,
    learnt,
    threshold="eer",
    prior=0.5,
    accept=(),
    n_nearest=None,
):
    """Find the nearest of the enrolled voices.

    Arguments
    ---------
    names : sequence of str
        Of the voices, one or more.
    embeddings : np.ndarray
        Of length 1, or shorter where they are means, [N, D].
    test : Voice
        The recording.
    learnt : Learnt
        Thresholds and calibration.
    threshold : str or float
        As for ``raise_threshold``.
    prior : float
        As for ``share_probability``.
    accept : list of str
        Faults to decide despite.
    n_nearest : int, optional
        Scores to tell, 1 or more; all by default. The decision is by all.

    Returns
    -------
    Identification
        With name None and a reason where there is no decision.

    Raises
    ------
    InputError
        If threshold, prior, accept or n_nearest cannot be used.
    """
    check_n_nearest(n_nearest)
    value, no_threshold = raise_threshold(threshold, learnt, len(names))
    objections = find_objections([test], accept)
    reason = "; ".join(filter(None, (objections, no_threshold))) or None
    calibrate(None, learnt, prior)  # refuses a prior that cannot be
    if test.embedding is None:
        rest = value, len(names), reason, test
        return Identification(None, {}, None, None, *rest)
    cosines = np.clip(embeddings @ test.embedding, -1, 1)
    llr, probability = share_probability(cosines, learnt, prior)
    scores = {names[i]: float(cosines[i]) for i in rank(cosines, n_nearest)}
    nearest = next(iter(scores))
    if reason:
        name = None
    else:
        name = nearest if scores[nearest] >= value else UNKNOWN
    rest = value, len(names), reason, test
    return Identification(name, scores, llr, probability, *rest)
