"""Counts of scores, small enough to travel with a model.

 * bins of one width over all cosines, so that two models compare
 * counts, not shares: how many trials stand behind a bin is not lost
 * enough to draw both classes, and to say how many score below a value

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import numpy as np

from speechbrain_moe.errors import InputError

N_BINS = 100
RANGE = (-1.0, 1.0)


def count_scores(labels, scores) -> dict:
    """Count cosines of target and nontarget trials in bins.

    Arguments
    ---------
    labels : array_like
        1 for target, 0 for nontarget, [N].
    scores : array_like
        In [-1, 1]; a little outside counts in the outer bin, [N].

    Returns
    -------
    dict
        Plain values, for JSON: ``low`` and ``high``, the outer borders, and
        counts by bin, ``target`` and ``nontarget``.

    Raises
    ------
    InputError
        If lengths differ or a score is NaN.

    Example
    -------
    >>> counts = count_scores([1, 0, 1], [0.99, -1.0, 0.991])
    >>> counts["target"][-1], counts["nontarget"][0]
    (2, 1)
    """
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if labels.shape != scores.shape or np.isnan(scores).any():
        raise InputError(
            f"{labels.size} labels and {scores.size} scores; give one score, "
            "not NaN, for each label"
        )
    inside = np.clip(scores, *RANGE)
    target, nontarget = (
        np.histogram(inside[labels == label], N_BINS, RANGE)[0].tolist()
        for label in (1, 0)
    )
    low, high = RANGE
    return {
        "low": low,
        "high": high,
        "target": target,
        "nontarget": nontarget,
    }


def share_below(counts, low: float, high: float, score: float) -> float:
    """Share of counted trials that score below a value.

    Arguments
    ---------
    counts : sequence of int
        Of one class, by bin.
    low, high : float
        Outer borders.
    score : float
        The value; within a bin, trials count as spread evenly.

    Returns
    -------
    float
        In [0, 1].

    Example
    -------
    >>> share_below([2, 2], low=0.0, high=1.0, score=0.75)
    0.75
    """
    edges = np.linspace(low, high, len(counts) + 1)
    so_far = np.concatenate([[0], np.cumsum(counts)])
    return float(np.interp(score, edges, so_far) / so_far[-1])
