"""Error rates of groups of trials, and how far the best and worst differ.

 * groups come from groups.py; ``mixed`` and ``unknown`` trials are counted
   and shown, and take no part in the gap
 * EER within the group flatters: each group gets its own threshold. Misses
   and false alarms at one threshold for all are what users meet
 * intervals over the speakers of the group, all rates on the same draws
 * groups with few trials or speakers are shown with a note, without an
   interval, and are left out of the gap

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.group_rates import GroupRates, group_rates
from speechbrain_moe.scoring.groups import MIXED, UNKNOWN
from speechbrain_moe.scoring.speaker_draws import (
    _checked_trials,
    _speaker_ids,
    check_resampling,
)


class SubgroupGap(NamedTuple):
    """Worst less best group; None where fewer than two can be compared.

    Arguments
    ---------
    eer : float or None
        In percent points; each group at its own threshold.
    p_miss, p_fa : float or None
        In shares, 0..1, at the one threshold.
    best, worst : str or None
        Groups with the lowest and the highest EER.
    note : str
        What was compared and what was left out.

    Example
    -------
    >>> SubgroupGap(1.5, 0.02, 0.001, "f", "m", "2 groups compared").worst
    'm'
    """

    eer: float | None
    p_miss: float | None
    p_fa: float | None
    best: str | None
    worst: str | None
    note: str


class SubgroupTable(NamedTuple):
    """The groups of one column and their gap.

    Arguments
    ---------
    rows : list of GroupRates
        One per group, then mixed and unknown where there are any; each
        turns into a dict of numbers, text and None by ``_asdict()``.
    gap : SubgroupGap
        Between the groups that are large enough.

    Example
    -------
    >>> gap = SubgroupGap(None, None, None, None, None, "0 groups compared")
    >>> SubgroupTable([], gap).rows
    []
    """

    rows: list[GroupRates]
    gap: SubgroupGap


def subgroup_table(
    labels,
    scores,
    groups,
    enrol_speakers,
    test_speakers,
    threshold: float,
    n_resamples: int = 1000,
    seed: int = 0,
) -> SubgroupTable:
    """Give the error rates of each group of trials, and the gap.

    Arguments
    ---------
    labels : array_like
        1 for target, 0 for nontarget, [N].
    scores : array_like
        Higher means more alike, finite, [N].
    groups : sequence of str
        Group of each trial, from trial_groups or bin_values, [N].
    enrol_speakers, test_speakers : sequence of str or int
        Speaker of each side, [N].
    threshold : float
        One for all groups, taken from other speakers; accept = score >= it.
    n_resamples : int
        Draws of speakers behind each interval, >= 1.
    seed : int
        Seed of the draws.

    Returns
    -------
    SubgroupTable
        Rows by name, those that begin with a number by it.

    Raises
    ------
    InputError
        If lengths differ, a score or the threshold is not finite, a label
        is neither 0 nor 1 or contradicts its speakers, a class is missing
        in all groups together, or n_resamples is below 1.

    Example
    -------
    >>> enrol, test = ["a", "a", "b", "b"], ["a", "c", "b", "d"]
    >>> table = subgroup_table(
    ...     [1, 0, 1, 0], [0.9, 0.1, 0.8, 0.6], ["f", "f", "m", "m"],
    ...     enrol, test, threshold=0.5,
    ... )
    >>> [(row.group, row.p_fa) for row in table.rows]
    [('f', 0.0), ('m', 1.0)]
    """
    check_resampling(n_resamples, level=0.95)
    labels, (scores,) = _checked_trials(labels, [scores])
    speakers = _speaker_ids(labels, enrol_speakers, test_speakers)
    groups = _checked_groups(groups, labels.shape, threshold)
    rows = []
    for name in sorted(np.unique(groups).tolist(), key=_place_of):
        inside = groups == name
        given = [column[inside] for column in (labels, scores, *speakers)]
        rows.append(group_rates(name, *given, threshold, n_resamples, seed))
    return SubgroupTable(rows, _gap(rows))


def _checked_groups(groups, shape, threshold):
    """Return the groups as text; refuse a threshold that decides nothing."""
    groups = np.asarray(groups, dtype=str)
    if groups.shape != shape:
        raise InputError(
            f"groups have shape {groups.shape}, labels {shape}; give one "
            "group per trial, [N]"
        )
    if threshold is None or not np.isfinite(threshold):
        raise InputError(
            f"the threshold is {threshold}; give a score to decide at"
        )
    return groups


def _place_of(name):
    """Return the key that sorts bins by number, mixed and unknown last."""
    number = re.match(r"-?[\d.]+|-inf", name)
    try:
        lowest = float(number.group()) if number else 0.0
    except ValueError:  # a date or a version is text
        lowest = 0.0
    return name == UNKNOWN, name == MIXED, lowest, name


def _gap(rows):
    """Return worst less best over the groups that are large enough."""
    fit = [r for r in rows if not r.note and r.group not in (MIXED, UNKNOWN)]
    small = [
        r.group for r in rows if r.note and r.group not in (MIXED, UNKNOWN)
    ]
    note = f"{len(fit)} groups compared"
    if small:
        note += f"; too small to say: {', '.join(small)}"
    if len(fit) < 2:
        return SubgroupGap(None, None, None, None, None, note)
    best, *_, worst = sorted(fit, key=lambda row: row.eer)
    ranges = [
        max(rates) - min(rates)
        for rates in zip(*((r.eer, r.p_miss, r.p_fa) for r in fit))
    ]
    return SubgroupGap(*ranges, best.group, worst.group, note)
