"""Scores of the same and of different speakers, and the threshold between.

 * the area of each class is 1, whatever the number of its trials
 * the classes differ in hatch and line style as well as in colour, and
   carry their names: the plot survives a greyscale printer
 * what the threshold does to these scores stands beside it, in percent

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

from functools import partial

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.report.det import COLOURS, new_figure
from speechbrain_moe.report.png import save_png

N_BINS = 60
CLASSES = (
    (0, "different speakers", "///", "--", COLOURS[2]),
    (1, "same speaker", "...", "-", COLOURS[1]),
)


def plot_scores(
    labels,
    scores,
    path,
    threshold: float | None = None,
    marked: dict[str, float] | None = None,
    name: str = "cosine",
    title: str | None = None,
):
    """Write a PNG with the histogram of both classes of trials.

    Arguments
    ---------
    labels : array_like
        1 for target, 0 for nontarget, [N].
    scores : array_like
        Higher means more alike, finite, [N].
    path : str or Path
        PNG to write; an older one is replaced when the new one is whole.
    threshold : float, optional
        A line, with the misses and false alarms of accepting scores from
        there on.
    marked : dict, optional
        Scores to point at, by what they are, for instance one trial's.
    name : str
        What the scores are, for the axis.
    title : str, optional
        Line above the plot, for instance the trial list.

    Raises
    ------
    InputError
        If labels are not 0 or 1, a class is missing, lengths differ, or a
        number is not finite.
    MissingPackageError
        If matplotlib is missing; the message gives the pip line.

    Example
    -------
    >>> path = getfixture("tmp_path") / "scores.png"
    >>> plot_scores([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9], path, threshold=0.5)
    >>> path.read_bytes()[1:4]
    b'PNG'
    """
    marked = marked or {}
    labels, scores = _checked(labels, scores, threshold, marked)
    figure = new_figure(7.0, 4.2)
    axes = figure.add_subplot()
    for label, text, hatch, line, colour in CLASSES:
        mine = scores[labels == label]
        peak = _draw_class(axes, mine, _edges(scores), hatch, line, colour)
        text = f"{text}\n{len(mine)} trials"
        axes.annotate(text, peak, ha="center", va="bottom", color=colour)
    axes.margins(y=0.34)
    axes.set_ylim(bottom=0)
    if threshold is not None:
        _draw_threshold(axes, labels, scores, threshold)
    _draw_marks(axes, marked)
    axes.set_xlabel(name)
    axes.set_ylabel("density")
    if title:
        axes.set_title(title)
    write_whole(path, partial(save_png, figure))


def _checked(labels, scores, threshold, marked):
    """Return both as arrays; refuse what cannot be drawn."""
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or labels.shape != scores.shape:
        raise InputError(
            f"labels have shape {labels.shape}, scores {scores.shape}; give "
            "one label and one score per trial, [N]"
        )
    if set(np.unique(labels).tolist()) != {0, 1}:
        raise InputError(
            "labels are to be 0 and 1, both of them: give target and "
            "nontarget trials"
        )
    others = [0.0 if threshold is None else threshold, *marked.values()]
    if not (np.isfinite(scores).all() and np.isfinite(others).all()):
        raise InputError("a score or the threshold is NaN or Inf; remove it")
    return labels, scores


def _edges(scores):
    """Return the borders of the bins, the same for both classes."""
    low, high = scores.min(), scores.max()
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, N_BINS + 1)


def _draw_class(axes, scores, edges, hatch, line, colour):
    """Draw one class; return the point above its highest bin."""
    shares, _ = np.histogram(scores, edges, density=True)
    style = {"edgecolor": colour, "linestyle": line, "linewidth": 1.4}
    axes.stairs(shares, edges, fill=True, facecolor=colour, alpha=0.12)
    axes.stairs(shares, edges, fill=False, hatch=hatch, **style)
    top = int(shares.argmax())
    return (edges[top] + edges[top + 1]) / 2, shares[top]


def _draw_threshold(axes, labels, scores, threshold):
    """Draw the line, and what deciding there does."""
    misses = 100 * np.mean(scores[labels == 1] < threshold)
    false_alarms = 100 * np.mean(scores[labels == 0] >= threshold)
    axes.axvline(threshold, ymax=0.87, color="black", linewidth=1.6)
    low, high = axes.get_xlim()
    place = int(3 * (threshold - low) / (high - low))
    axes.annotate(
        f"threshold {threshold:.3f}: {misses:.1f} % misses, "
        f"{false_alarms:.1f} % false alarms",
        (threshold, 0.9),
        xycoords=axes.get_xaxis_transform(),
        # written towards the middle, where nothing cuts it off
        ha=("left", "center", "right")[np.clip(place, 0, 2)],
    )


def _draw_marks(axes, marked):
    """Point at single scores from below the curves, with their names."""
    for i, (text, score) in enumerate(marked.items()):
        height = 0.62 - 0.1 * (i % 4)
        axes.annotate(
            f"{text}: {score:.3f}",
            (score, 0.0),
            (score, height),
            xycoords=axes.get_xaxis_transform(),
            textcoords=axes.get_xaxis_transform(),
            ha="center",
            bbox={"facecolor": "white", "edgecolor": "black"},
            arrowprops={"arrowstyle": "-|>", "color": "black"},
        )
