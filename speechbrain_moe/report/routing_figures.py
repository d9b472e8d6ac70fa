"""Pictures of the routing report, as PNG bytes.

 * drawn on Figures of their own: no pyplot, no window, no global state
 * colours are viridis, which stays in order in greyscale, or Okabe and
   Ito's; numbers stand in the cells, and marks differ in shape as well
 * matplotlib is imported when a picture is asked for, not before

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import numpy as np

from speechbrain_moe.report.det import COLOURS, MARKERS, new_figure
from speechbrain_moe.report.png import png_of

ROW_INCHES = 0.36
# the two shades of a pair of bars, apart in greyscale
BAR_COLOURS = ("#0072b2", "#e69f00")


def expert_names(n_experts: int, n_all: int | None = None) -> list[str]:
    """Names of experts as the page writes them.

    Arguments
    ---------
    n_experts : int
        Experts of the gate.
    n_all : int, optional
        Experts there are; the one more is always on.

    Returns
    -------
    list of str
        One per expert.

    Example
    -------
    >>> expert_names(2, 3)
    ['expert 0', 'expert 1', 'always on']
    """
    names = [f"expert {i}" for i in range(n_experts)]
    return names + ["always on"] * ((n_all or n_experts) - n_experts)


def draw_load(load: dict) -> bytes:
    """Draw load and importance of each expert.

    Arguments
    ---------
    load : dict
        The section ``load`` of the facts.

    Returns
    -------
    bytes
        A PNG.
    """
    E = len(load["load"])
    figure = new_figure(max(6.4, 1.0 + 0.8 * E), 3.0)
    axes = figure.add_subplot()
    for k, key in enumerate(("load", "importance")):
        bars = axes.bar(
            np.arange(E) + 0.4 * k - 0.2,
            100 * np.array(load[key]),
            width=0.38,
            color=BAR_COLOURS[k],
            label=("load: share of files", "importance: mean probability")[k],
        )
        axes.bar_label(bars, fmt="%.0f", fontsize=8, padding=1)
    style = {"color": "0.3", "linestyle": "--", "linewidth": 1}
    axes.axhline(100 / E, label="even", **style)
    axes.set_xticks(range(E), expert_names(E))
    axes.set_ylabel("%")
    axes.margins(y=0.15)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return png_of(figure)


def draw_attributes(attributes: dict) -> bytes:
    """Draw which experts the files of each attribute value go to.

    Arguments
    ---------
    attributes : dict
        The section ``attributes`` of the facts; those with no known value
        are left out.

    Returns
    -------
    bytes
        A PNG; each row sums to 100 %.
    """
    shown = {name: a for name, a in attributes.items() if a["values"]}
    heights = [len(a["values"]) for a in shown.values()]
    E = len(next(iter(shown.values()))["shares"][0])
    highest = 100 * max(np.max(a["shares"]) for a in shown.values())
    figure = new_figure(
        3.6 + 0.8 * E, 0.6 + ROW_INCHES * (sum(heights) + 1.2 * len(heights))
    )
    panels = figure.subplots(
        len(shown), squeeze=False, gridspec_kw={"height_ratios": heights}
    )
    for axes, (name, a) in zip(panels[:, 0], shown.items()):
        counts = np.sum(a["counts"], axis=1)
        rows = [f"{v}  (n = {n})" for v, n in zip(a["values"], counts)]
        draw_cells(axes, 100 * np.array(a["shares"]), rows, "%.0f", 0, highest)
        axes.set_title(name, loc="left", fontsize=10, fontweight="bold")
        axes.set_xticks([])
    panels[-1, 0].set_xticks(range(E), expert_names(E))
    return png_of(figure)


def draw_similarity(similarity, n_experts: int) -> bytes:
    """Draw the mean cosine between experts.

    Arguments
    ---------
    similarity : list of list of float
        The section ``similarity`` of the facts, [A][A].
    n_experts : int
        Experts of the gate.

    Returns
    -------
    bytes
        A PNG.
    """
    A = len(similarity)
    names = expert_names(n_experts, A)
    figure = new_figure(1.6 + 0.8 * A, 0.8 + 0.45 * A)
    axes = figure.add_subplot()
    low = min(0.0, float(np.min(similarity)))
    draw_cells(axes, np.array(similarity), names, "%.2f", low, 1)
    axes.set_xticks(range(A), names)
    return png_of(figure)


def draw_errors(errors: dict, n_experts: int) -> bytes:
    """Draw the EER without each expert, and of each alone, with intervals.

    Arguments
    ---------
    errors : dict
        The section ``errors`` of the facts.
    n_experts : int
        Experts of the gate.

    Returns
    -------
    bytes
        A PNG.
    """
    names = expert_names(n_experts, len(errors["alone"]))
    rows = [("the mixture", errors["whole"], 0)]
    rows += [
        (f"without {names[int(i)]}", e, 1) for i, e in errors["without"].items()
    ]
    rows += [
        (f"{names[int(i)]} alone", e, 2) for i, e in errors["alone"].items()
    ]
    figure = new_figure(7.0, 0.8 + 0.3 * len(rows))
    axes = figure.add_subplot()
    for y, (_, e, kind) in enumerate(rows):
        axes.plot([e["low"], e["high"]], [y, y], color=COLOURS[kind])
        axes.plot(e["estimate"], y, MARKERS[kind], color=COLOURS[kind])
    axes.axvline(rows[0][1]["estimate"], color="0.6", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(rows)), [row[0] for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("EER, %, with its 95 % interval over speakers")
    return png_of(figure)


def draw_map(map_: dict) -> bytes:
    """Draw the map of embeddings, coloured by route.

    Arguments
    ---------
    map_ : dict
        The section ``map`` of the facts.

    Returns
    -------
    bytes
        A PNG.
    """
    points = np.array(map_["points"])
    routes = np.array(map_["routes"] or [0] * len(points))
    figure = new_figure(6.4, 5.6)
    axes = figure.add_subplot()
    for route in np.unique(routes):
        mine = points[routes == route]
        axes.scatter(
            *mine.T,
            s=16,
            alpha=0.75,
            linewidth=0,
            marker=MARKERS[route % len(MARKERS)],
            color=COLOURS[(route + 1) % len(COLOURS)],
            label=f"expert {route}" if map_["routes"] else "no routes",
        )
    axes.set_xticks([])
    axes.set_yticks([])
    figure.legend(loc="outside upper center", ncols=5, frameon=False)
    return png_of(figure)


def draw_cells(axes, cells, rows, form, low, high):
    """Draw cells in viridis, each with its number on it.

    Arguments
    ---------
    axes : matplotlib.axes.Axes
        Where to.
    cells : numpy.ndarray
        Numbers [rows, columns].
    rows : list of str
        Name of each row.
    form : str
        Format of the numbers, such as "%.0f".
    low, high : float
        Ends of the colour scale.
    """
    image = axes.imshow(
        cells, cmap="viridis", vmin=low, vmax=high, aspect="auto"
    )
    for (y, x), value in np.ndenumerate(cells):
        dark = image.norm(value) < 0.6
        colour = "white" if dark else "black"
        text = form % (round(value, 2) + 0.0)  # never -0.00
        axes.text(x, y, text, ha="center", va="center", color=colour)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
