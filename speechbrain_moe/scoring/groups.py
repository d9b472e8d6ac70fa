"""The groups that trials fall in, from what is known of their sides.

 * a trial belongs to the group that both its sides are in, else to
   ``mixed``; where a side has no value it is ``unknown``
 * numbers are cut into named bins first, at quantiles

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import math

import numpy as np

from speechbrain_moe.errors import InputError

MIXED, UNKNOWN = "mixed", "unknown"
N_BINS = 3


def trial_groups(enrol_values, test_values) -> list[str]:
    """Give the group of each trial from the values of its two sides.

    Arguments
    ---------
    enrol_values, test_values : sequence
        Value of each side, such as a gender; None, NaN and "" are unknown.

    Returns
    -------
    list of str
        The value where both sides agree, else ``mixed``; ``unknown`` where
        a side is.

    Raises
    ------
    InputError
        If lengths differ, or a value is the word ``mixed``.

    Example
    -------
    >>> trial_groups(["f", "f", "m"], ["f", "m", None])
    ['f', 'mixed', 'unknown']
    """
    if len(enrol_values) != len(test_values):
        raise InputError(
            f"{len(enrol_values)} enrolment and {len(test_values)} test "
            "values; give one of each per trial"
        )
    sides = zip(map(_text_of, enrol_values), map(_text_of, test_values))
    return [_group_of(*pair) for pair in sides]


def bin_values(values, unit: str = "") -> list:
    """Turn numbers into the names of three bins of about as many values.

    For a number per file, a trial's value is the smaller of both sides:
    ``bin_values(np.minimum(enrol, test))``. A bin holds its lower edge and
    not its upper one, the last bin both.

    Arguments
    ---------
    values : array_like
        Numbers, NaN where unknown, [N].
    unit : str
        Follows the numbers, for instance "s" or "years".

    Returns
    -------
    list of str
        "1 to 2.5 s" and so on, cut at a hundredth of their range; ``unknown``
        for NaN, [N]. Few values give fewer bins.

    Raises
    ------
    InputError
        If a value is infinite.

    Example
    -------
    >>> bin_values([1.0, 2.5, 4.0, np.nan], "s")
    ['1 to 2 s', '2 to 3 s', '3 to 4 s', 'unknown']
    """
    values = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(values)
    if not known.any():
        return [UNKNOWN] * len(values)
    if np.isinf(values).any():
        raise InputError("a value is infinite; give numbers, or NaN if unknown")
    edges = _quantile_edges(values[known])
    texts = [f"{edge:.6g}" for edge in edges]
    names = [
        f"{low} to {high} {unit}".rstrip()
        for low, high in zip(texts, texts[1:])
    ]
    places = np.searchsorted(edges[1:-1], values, side="right")
    return [names[p] if k else UNKNOWN for p, k in zip(places, known)]


def _text_of(value):
    """Return a value as text, unknown for None, NaN and nothing."""
    missing = value is None or value != value or str(value).strip() == ""
    return UNKNOWN if missing else str(value)


def _group_of(enrol, test):
    """Return the group of a trial from the text of both sides."""
    if MIXED in (enrol, test):
        raise InputError(
            "a value is 'mixed', which is the name for trials whose sides "
            "differ; give that value another name"
        )
    if UNKNOWN in (enrol, test):
        return UNKNOWN
    return enrol if enrol == test else MIXED


def _quantile_edges(values):
    """Return readable edges that cut the values into bins of like size."""
    cuts = np.quantile(values, np.linspace(0, 1, N_BINS + 1))
    span = cuts[-1] - cuts[0]
    if span == 0.0:
        return cuts[[0, -1]]
    return np.unique(np.round(cuts, 2 - math.floor(math.log10(span))))
