"""Two systems on the same trials: is the difference more than the speakers?

 * both are measured on the same draws, which takes the difficulty of the
   speakers out of the difference
 * a p-value, and the difference relative to the first system

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from speechbrain_moe.scoring.intervals import percentiles
from speechbrain_moe.scoring.speaker_draws import (
    check_resampling,
    resample_metric,
)

logger = logging.getLogger(__name__)


class PairedDifference(NamedTuple):
    """System b against system a on the same trials and the same draws.

    Arguments
    ---------
    difference : float
        Metric of b minus metric of a; below 0 b makes fewer errors.
    low, high : float
        Percentiles of the resampled difference.
    p_value : float
        Two-sided, above 0, at most 1.
    relative : float
        difference / metric of a; -0.1 is ten percent fewer errors. NaN if
        the metric of a is 0.
    relative_low, relative_high : float
        Percentiles of the resampled relative difference. NaN if the metric
        of a is 0 in some resample.

    Example
    -------
    >>> PairedDifference(-1, -2, -0.5, 0.01, -0.1, -0.2, -0.05).relative
    -0.1
    """

    difference: float
    low: float
    high: float
    p_value: float
    relative: float
    relative_low: float
    relative_high: float


def paired_bootstrap(
    metric: Callable,
    labels,
    scores_a,
    scores_b,
    enrol_speakers,
    test_speakers,
    n_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> PairedDifference:
    """Compare two systems on the same trials, drawing the same speakers.

    The comparison by bootstrap of Bisani and Ney, "Bootstrap estimates for
    confidence intervals in ASR performance evaluation", ICASSP 2004, with
    speakers drawn as in bootstrap_interval. With R resamples, n_le of them
    with a difference <= 0 and n_ge with one >= 0, the two-sided p-value is
    min(1, 2 * min(n_le + 1, n_ge + 1) / (R + 1)): never 0, since the
    trials as they are count as one more resample. It answers how often
    other speakers would turn the sign around; it is not the test of an
    exchange of the two systems. It errs on the careful side: of simulated
    pairs that differed by chance within trials alone, p < 0.05 came up
    for about one in a hundred, not five.

    Arguments
    ---------
    metric : callable
        metric(labels, scores, weights) -> float, lower is better. The
        trials reach it sorted by score.
    labels : array_like
        1 for target, 0 for nontarget trials, [n_trials].
    scores_a, scores_b : array_like
        Scores of the baseline a and of system b, finite, [n_trials] each.
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
    PairedDifference
        difference b - a with interval and p-value, and the same relative
        to a.

    Raises
    ------
    InputError
        As bootstrap_interval.

    Example
    -------
    >>> def misses(labels, scores, weights):
    ...     rejected = (scores < 0.5)[labels == 1]
    ...     return np.average(rejected, weights=weights[labels == 1])
    >>> enrol, test = ["a", "b", "a", "b"], ["a", "b", "b", "c"]
    >>> result = paired_bootstrap(
    ...     misses, [1, 1, 0, 0], [0.4, 0.8, 0, 0], [0.9, 0.8, 0, 0],
    ...     enrol, test,
    ... )
    >>> result.difference, result.relative
    (-0.5, -1.0)
    """
    check_resampling(n_resamples, level)
    systems, speakers = (scores_a, scores_b), (enrol_speakers, test_speakers)
    (a, b), values = resample_metric(
        metric, labels, systems, *speakers, n_resamples, seed
    )
    differences = values[:, 1] - values[:, 0]
    return PairedDifference(
        b - a,
        *percentiles(differences, level),
        _two_sided_p(differences),
        (b - a) / a if a else float("nan"),
        *_relative_percentiles(differences, values[:, 0], level),
    )


def _two_sided_p(differences):
    """Return the p-value that paired_bootstrap documents."""
    n_le = int(np.count_nonzero(differences <= 0))
    n_ge = int(np.count_nonzero(differences >= 0))
    return min(1.0, 2.0 * (min(n_le, n_ge) + 1) / (len(differences) + 1))


def _relative_percentiles(differences, baseline, level):
    """Return the percentiles of differences / baseline, NaN if any is 0."""
    n_zero = int(np.count_nonzero(baseline == 0))
    if n_zero:
        logger.warning(
            "system a makes no error in %d of %d resamples: its relative "
            "difference has no interval (NaN)",
            n_zero,
            len(baseline),
        )
        return float("nan"), float("nan")
    return percentiles(differences / baseline, level)
