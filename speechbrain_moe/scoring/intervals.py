"""How far a metric could move with other speakers: bootstrap intervals.

 * the draws of speakers are those of speaker_draws; here they become a
   range
 * VoxCeleb's paths begin with the speaker, so a trial list is all it takes

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from speechbrain_moe.scoring.speaker_draws import (
    check_resampling,
    resample_metric,
)


class Interval(NamedTuple):
    """A metric with the range that other speakers could have given.

    Arguments
    ---------
    estimate : float
        The metric on the trials as they are.
    low, high : float
        Percentiles of the resampled metric, in the metric's unit.
    level : float
        Share of the resamples between low and high, 0.95 for 95 %.
    n_resamples : int
        Resamples behind it.

    Example
    -------
    >>> Interval(2.2, 1.8, 2.7, level=0.95, n_resamples=1000).high
    2.7
    """

    estimate: float
    low: float
    high: float
    level: float
    n_resamples: int


def bootstrap_interval(
    metric: Callable,
    labels,
    scores,
    enrol_speakers,
    test_speakers,
    n_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Give a metric with its percentile bootstrap interval over speakers.

    As many speakers as there are in the trials are drawn with replacement,
    each draw weighs the trials (speaker_weights) and the metric is taken
    anew. That errors of one speaker go together, and that drawing users
    instead of trials shows it: Poh, Martin and Bengio, "Performance
    Generalization in Biometric Authentication Using Joint User-Specific
    and Sample Bootstraps", IEEE TPAMI 29(3), 2007. Ours draws users only,
    and both sides of a trial. With few speakers percentile intervals are
    too narrow, and those of a metric that picks its own threshold (minDCF)
    sit too low, since each resample picks anew. Draws without a target or
    without a nontarget trial are drawn again; the log says how many.

    Where chance within the trials outweighs the speakers the intervals
    are wide rather than narrow: products of counts vary more than counts
    (Owen and Eckles, "Bootstrapping data arrays of arbitrary order",
    Annals of Applied Statistics 6(3), 2012).

    Arguments
    ---------
    metric : callable
        metric(labels, scores, weights) -> float. The trials reach it
        sorted by score.
    labels : array_like
        1 for target, 0 for nontarget trials, [n_trials].
    scores : array_like
        Finite, [n_trials].
    enrol_speakers, test_speakers : sequence of str or int
        Speaker of each side of each trial, [n_trials].
    n_resamples : int
        Draws, >= 1.
    level : float
        Share of the resamples inside the interval, above 0, below 1.
    seed : int
        Seed of the draws.

    Returns
    -------
    Interval
        estimate, low, high (the metric's unit), level, n_resamples.

    Raises
    ------
    InputError
        If shapes differ, a score is not finite, a label contradicts its
        speakers, a class is missing, the metric returns NaN or Inf, or
        level or n_resamples is out of range.

    Example
    -------
    >>> def false_alarms(labels, scores, weights):
    ...     accepted = (scores >= 0.5)[labels == 0]
    ...     return np.average(accepted, weights=weights[labels == 0])
    >>> enrol, test = ["a", "b", "a", "b"], ["a", "b", "b", "c"]
    >>> bootstrap_interval(
    ...     false_alarms, [1, 1, 0, 0], [0.9, 0.8, 0.1, 0.6], enrol, test
    ... )
    Interval(estimate=0.5, low=0.0, high=1.0, level=0.95, n_resamples=1000)
    """
    check_resampling(n_resamples, level)
    speakers = (enrol_speakers, test_speakers)
    estimates, values = resample_metric(
        metric, labels, [scores], *speakers, n_resamples, seed
    )
    low, high = percentiles(values[:, 0], level)
    return Interval(estimates[0], low, high, level, n_resamples)


def percentiles(values, level: float) -> tuple[float, float]:
    """Give the two percentiles that leave out (1 - level) / 2 each.

    Arguments
    ---------
    values : numpy.ndarray
        Resampled values, [n_resamples].
    level : float
        Share of them between the two, above 0, below 1.

    Returns
    -------
    tuple of float
        Low and high, in the unit of the values.

    Example
    -------
    >>> percentiles(np.arange(101.0), level=0.5)
    (25.0, 75.0)
    """
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(values, [tail, 1.0 - tail])
    return float(low), float(high)
