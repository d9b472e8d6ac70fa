"""Which experts each group of files goes to, as a heatmap.

 * cells are mean gate probabilities in percent, rows sum to 100
 * viridis stays in order in greyscale, and each cell carries its number
 * the routing report draws the same of all its attributes at once

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

from functools import partial

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.report.det import new_figure
from speechbrain_moe.report.png import save_png
from speechbrain_moe.report.routing_figures import (
    ROW_INCHES,
    draw_cells,
    expert_names,
)

MOST_ROWS = 60


def plot_routing(probs, groups, path, title: str | None = None):
    """Write a PNG with the mean gate probabilities of each group of files.

    Arguments
    ---------
    probs : array_like
        Gate probabilities [U, E], rows sum to 1.
    groups : sequence of str
        Group of each file, for instance its speaker, gender or noise, U.
    path : str or Path
        PNG to write; an older one is replaced when the new one is whole.
    title : str, optional
        Line above the heatmap.

    Raises
    ------
    InputError
        If lengths differ, rows do not sum to 1, or there are more than 60
        groups or none.
    MissingPackageError
        If matplotlib is missing; the message gives the pip line.

    Example
    -------
    >>> path = getfixture("tmp_path") / "routing.png"
    >>> plot_routing([[0.9, 0.1], [0.2, 0.8]], ["quiet", "noisy"], path)
    >>> path.read_bytes()[1:4]
    b'PNG'
    """
    probs, groups = np.asarray(probs, dtype=np.float64), np.asarray(groups, str)
    _check(probs, groups)
    names = np.unique(groups)
    means = [probs[groups == name].mean(axis=0) for name in names]
    rows = [f"{name}  (n = {np.sum(groups == name)})" for name in names]
    E = probs.shape[1]
    figure = new_figure(3.6 + 0.8 * E, 0.9 + ROW_INCHES * len(rows))
    axes = figure.add_subplot()
    draw_cells(axes, 100 * np.array(means), rows, "%.0f", 0, 100)
    axes.set_xticks(range(E), expert_names(E))
    axes.set_title(title or "mean gate probability, %", fontsize=10)
    write_whole(path, partial(save_png, figure))


def _check(probs, groups):
    """Refuse what is no table of probabilities by group."""
    if probs.ndim != 2 or groups.shape != probs.shape[:1]:
        raise InputError(
            f"probs have shape {probs.shape}, groups {groups.shape}; give "
            "[U, E] and one group per row"
        )
    if not np.allclose(probs.sum(axis=1), 1, atol=1e-3):
        raise InputError("rows of probs do not sum to 1; give gate_probs")
    n_groups = len(np.unique(groups))
    if not 1 <= n_groups <= MOST_ROWS:
        raise InputError(f"{n_groups} groups; give 1 to {MOST_ROWS}")
