"""The groups that trials fall in, from what is known of their sides.

 * a trial belongs to the group that both its sides are in, else to
   ``mixed``; where a side has no value it is ``unknown``
 * numbers are cut into named bins first, at given edges or at quantiles

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import math

import numpy as np

from speechbrain_moe.errors import InputError

MIXED, UNKNOWN = "mixed", "unknown"


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


def bin_values(values, edges=None, n_bins: int = 3, unit: str = "") -> list:
    """Turn numbers into the names of the bins they fall in.

    For a number per file, a trial's value is the smaller of both sides:
    ``bin_values(np.minimum(enrol, test))``. A bin holds its lower edge and
    not its upper one, the last bin both.

    Arguments
    ---------
    values : array_like
        Numbers, NaN where unknown, [N].
    edges : sequence of float, optional
        Rising, outer ones included (they may be infinite). Default: n_bins
        bins of about as many values, cut at a hundredth of their range.
    n_bins : int
        Bins when no edges are given, >= 1; fewer come out of few values.
    unit : str
        Follows the numbers, for instance "s" or "years".

    Returns
    -------
    list of str
        "1 to 2.5 s" and so on, ``unknown`` for NaN, [N].

    Raises
    ------
    InputError
        If a value is infinite or outside the edges, edges do not rise or
        are fewer than two, or n_bins is below 1.

    Example
    -------
    >>> bin_values([1.0, 2.5, np.nan], edges=[0, 2.5, 10], unit="s")
    ['0 to 2.5 s', '2.5 to 10 s', 'unknown']
    """
    values = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(values)
    if not known.any():
        return [UNKNOWN] * len(values)
    edges = _checked_edges(values[known], edges, n_bins)
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


def _checked_edges(values, edges, n_bins):
    """Return the edges that hold all values, from quantiles by default."""
    if np.isinf(values).any():
        raise InputError("a value is infinite; give numbers, or NaN if unknown")
    if edges is None:
        return _quantile_edges(values, n_bins)
    edges = np.asarray(edges, dtype=np.float64)
    if len(edges) < 2 or not np.all(np.diff(edges) > 0):
        raise InputError(
            f"edges are {edges.tolist()}; give two or more, rising"
        )
    if values.min() < edges[0] or values.max() > edges[-1]:
        raise InputError(
            f"values go from {values.min():g} to {values.max():g}, the edges "
            f"from {edges[0]:g} to {edges[-1]:g}; widen the edges"
        )
    return edges


def _quantile_edges(values, n_bins):
    """Return readable edges that cut the values into bins of like size."""
    if n_bins < 1:
        raise InputError(f"n_bins is {n_bins}; give 1 or more")
    cuts = np.quantile(values, np.linspace(0, 1, n_bins + 1))
    span = cuts[-1] - cuts[0]
    if span == 0.0:
        return cuts[[0, -1]]
    return np.unique(np.round(cuts, 2 - math.floor(math.log10(span))))
