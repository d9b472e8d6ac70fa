"""A map of embeddings with the name of each group written on it.

 * the layout is that of the routing report: t-SNE by cosine, seeded
 * each of up to 42 groups has a pair of colour and marker of its own, and
   its name above it
 * neighbours on the map are neighbours by cosine; distances between far-off
   groups mean nothing

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

from functools import partial

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.report.det import COLOURS, MARKERS, new_figure
from speechbrain_moe.report.png import save_png
from speechbrain_moe.report.routing_map import embedding_map

# 6 colours and 7 markers, counted in step, repeat after 42
MOST_GROUPS = len(COLOURS) * len(MARKERS)
POINTS_PER_INCH = 72


def plot_embeddings(
    embeddings, groups, path, seed: int = 0, title: str | None = None
):
    """Write a PNG with embeddings in two dimensions, marked by group.

    Arguments
    ---------
    embeddings : array_like
        One per file, finite [U, D], U >= 8; above 2000 some are drawn.
    groups : sequence of str
        Group of each file, for instance its speaker, U.
    path : str or Path
        PNG to write; an older one is replaced when the new one is whole.
    seed : int
        Seed of the layout.
    title : str, optional
        Line above the map.

    Raises
    ------
    InputError
        If there are fewer than 8 files or more than 42 groups, a number is
        not finite, or the lengths differ.
    MissingPackageError
        If matplotlib or scikit-learn is missing; the message gives the pip
        line.

    Example
    -------
    >>> rng = np.random.default_rng(0)
    >>> path = getfixture("tmp_path") / "map.png"
    >>> plot_embeddings(rng.normal(size=(12, 8)), ["a", "b"] * 6, path)
    >>> path.read_bytes()[1:4]
    b'PNG'
    """
    embeddings = np.asarray(embeddings, dtype=np.float64)
    groups = np.asarray(groups, dtype=str)
    _check(embeddings, groups)
    names, codes = np.unique(groups, return_inverse=True)
    map_ = embedding_map(embeddings, codes, seed)
    points, codes = np.array(map_["points"]), np.array(map_["routes"])
    figure = new_figure(7.0, 6.4)
    axes = figure.add_subplot()
    for code, name in enumerate(names):
        mine = points[codes == code]
        if len(mine):
            _draw_group(axes, code, name, mine)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title or "t-SNE of embeddings, by cosine")
    _part_names(figure, axes.texts)
    write_whole(path, partial(save_png, figure))


def _check(embeddings, groups):
    """Refuse what has no map."""
    if embeddings.ndim != 2 or groups.shape != embeddings.shape[:1]:
        raise InputError(
            f"embeddings have shape {embeddings.shape}, groups "
            f"{groups.shape}; give [U, D] and one group per row"
        )
    if len(embeddings) < 8:
        raise InputError(f"{len(embeddings)} embeddings; a map takes 8 or more")
    if not np.isfinite(embeddings).all():
        raise InputError("an embedding holds NaN or Inf; leave it out")
    n_groups = len(np.unique(groups))
    if n_groups > MOST_GROUPS:
        raise InputError(
            f"{n_groups} groups; a map tells {MOST_GROUPS} apart, draw fewer"
        )


def _draw_group(axes, code, name, points):
    """Draw the files of one group, and its name above most of them."""
    colour = COLOURS[code % len(COLOURS)]
    axes.scatter(
        *points.T,
        s=18,
        alpha=0.7,
        linewidth=0,
        marker=MARKERS[code % len(MARKERS)],
        color=colour,
    )
    axes.annotate(
        name,
        (np.median(points[:, 0]), np.quantile(points[:, 1], 0.9)),
        (0, 6),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=8,
        bbox={
            "boxstyle": "round,pad=0.15",
            "facecolor": "white",
            "edgecolor": colour,
            "alpha": 0.85,
        },
    )


def _part_names(figure, texts):
    """Lift names that would lie on others, the lowest first."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # what is lifted moves nothing else
    boxes = [text.get_bbox_patch().get_window_extent() for text in texts]
    placed = []
    for i in np.argsort([box.y0 for box in boxes], kind="stable"):
        box = boxes[i]
        for lower in sorted(placed, key=lambda one: one.y0):
            if box.overlaps(lower):
                box = box.translated(0, lower.y1 - box.y0 + 1)
        placed.append(box)
        across, up = texts[i].xyann
        lifted = (box.y0 - boxes[i].y0) * POINTS_PER_INCH / figure.dpi
        texts[i].xyann = across, up + lifted
