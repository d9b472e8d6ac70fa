"""Error rates of one group of trials, with intervals over its speakers.

 * EER at the group's own threshold, misses and false alarms at a given one
 * a group needs 10 speakers and 30 trials of each class for an interval;
   with fewer the rates stand alone, with a note
 * all numbers are plain, so that a row can be stored as JSON or CSV

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from speechbrain_moe.scoring.intervals import bootstrap_interval
from speechbrain_moe.scoring.metrics import equal_error_rate

MIN_SPEAKERS = 10  # resamples of fewer give intervals that are too narrow
MIN_TRIALS = 30  # of each class


class GroupRates(NamedTuple):
    """Error rates of one group; None where they cannot be said.

    Arguments
    ---------
    group : str
        Its name.
    n_trials, n_targets, n_speakers : int
        Trials, target trials among them, speakers on either side.
    eer, eer_low, eer_high : float or None
        In percent, with the 95 % interval.
    p_miss, p_miss_low, p_miss_high : float or None
        Share of targets rejected at the given threshold, 0..1.
    p_fa, p_fa_low, p_fa_high : float or None
        Share of nontargets accepted at the given threshold, 0..1.
    note : str
        Empty, or why the group is too small for intervals.

    Example
    -------
    >>> GroupRates("f", 4, 2, 3, eer=12.5, note="3 speakers").eer
    12.5
    """

    group: str
    n_trials: int
    n_targets: int
    n_speakers: int
    eer: float | None = None
    eer_low: float | None = None
    eer_high: float | None = None
    p_miss: float | None = None
    p_miss_low: float | None = None
    p_miss_high: float | None = None
    p_fa: float | None = None
    p_fa_low: float | None = None
    p_fa_high: float | None = None
    note: str = ""


def group_rates(
    group: str,
    labels,
    scores,
    enrol_speakers,
    test_speakers,
    threshold: float,
    n_resamples: int = 1000,
    seed: int = 0,
) -> GroupRates:
    """Give the error rates of the trials of one group, as already checked.

    Arguments
    ---------
    group : str
        Its name.
    labels : numpy.ndarray
        1 for target, 0 for nontarget, one class may be missing, [N] int.
    scores : numpy.ndarray
        Finite, [N] float64.
    enrol_speakers, test_speakers : numpy.ndarray
        Speaker of each side, [N].
    threshold : float
        Accept = score >= it.
    n_resamples : int
        Draws of speakers, >= 1.
    seed : int
        Seed of the draws, the same for all three rates.

    Returns
    -------
    GroupRates
        Rates of a class that is missing are None.

    Example
    -------
    >>> labels, scores = np.array([1, 0, 0]), np.array([0.9, 0.6, 0.1])
    >>> enrol, test = np.array(["a", "a", "a"]), np.array(["a", "b", "b"])
    >>> rates = group_rates("f", labels, scores, enrol, test, threshold=0.5)
    >>> rates.p_miss, rates.p_fa, rates.note
    (0.0, 0.5, '2 speakers, 1 target and 2 nontarget trials; ...')
    """
    speakers = np.unique(np.concatenate([enrol_speakers, test_speakers]))
    n_targets = int(labels.sum())
    note = _why_too_small(len(speakers), n_targets, len(labels) - n_targets)
    metrics = _metrics(n_targets, len(labels) - n_targets, threshold)
    found = {}
    for name, metric in metrics.items():
        if note:
            found[name] = metric(labels, scores, np.ones(len(labels)))
            continue
        given = labels, scores, enrol_speakers, test_speakers
        interval = bootstrap_interval(metric, *given, n_resamples, seed=seed)
        found[name] = interval.estimate
        found[f"{name}_low"] = interval.low
        found[f"{name}_high"] = interval.high
    counts = len(labels), n_targets, len(speakers)
    return GroupRates(group, *counts, **found, note=note)


def _metrics(n_targets, n_nontargets, threshold):
    """Return the rates that exist, as metric(labels, scores, weights)."""

    def eer(labels, scores, weights):
        return equal_error_rate(labels, scores, weights).eer

    def p_miss(labels, scores, weights):
        weights = weights * (labels == 1)
        return float(weights @ (scores < threshold) / weights.sum())

    def p_fa(labels, scores, weights):
        weights = weights * (labels == 0)
        return float(weights @ (scores >= threshold) / weights.sum())

    metrics = {"p_miss": p_miss} if n_targets else {}
    if n_nontargets:
        metrics["p_fa"] = p_fa
    return {"eer": eer, **metrics} if len(metrics) == 2 else metrics


def _why_too_small(n_speakers, n_targets, n_nontargets):
    """Return what is too few for an interval, or nothing."""
    if (
        n_speakers >= MIN_SPEAKERS
        and min(n_targets, n_nontargets) >= MIN_TRIALS
    ):
        return ""
    return (
        f"{n_speakers} speakers, {n_targets} target and {n_nontargets} "
        f"nontarget trials; wanted {MIN_SPEAKERS} speakers and {MIN_TRIALS} "
        "trials of each"
    )
