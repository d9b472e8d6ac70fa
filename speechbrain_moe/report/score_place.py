"""Where one score falls between different and same speakers, as a PNG.

 * above, the scores measured on a trial list, where the model brings their
   counts; below, what the calibration makes of each score
 * nothing is drawn that was not measured: without counts there is no upper
   picture, without a calibration no lower one
 * classes differ in hatch and line style, lines carry their names: it reads
   in greyscale

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.report.det import new_figure
from speechbrain_moe.report.png import png_of
from speechbrain_moe.report.score_histogram import CLASSES

LEFT = -0.3  # scores below are rare; the axis reaches them when one is there
PANEL_INCHES = 1.9
KEYS = ("nontarget", "target")


def draw_place(
    score: float | None,
    threshold: float | None = None,
    counts: dict | None = None,
    curve=None,
) -> bytes:
    """Draw a score on its axis.

    Arguments
    ---------
    score : float, optional
        Cosine of the comparison; None where there is none.
    threshold : float, optional
        Same speaker from there on.
    counts : dict, optional
        What ``count_scores`` returned.
    curve : pair of array_like, optional
        Scores and the probability of the same speaker at each, [N] both.

    Returns
    -------
    bytes
        A PNG.

    Raises
    ------
    InputError
        If there are neither counts nor a curve.
    MissingPackageError
        If matplotlib is missing; the message gives the pip line.

    Example
    -------
    >>> draw_place(0.6, 0.4, curve=([0.0, 1.0], [0.1, 0.9]))[1:4]
    b'PNG'
    """
    panels = [
        (draw, given)
        for draw, given in ((_draw_counts, counts), (_draw_curve, curve))
        if given is not None
    ]
    if not panels:
        raise InputError("nothing to draw a score on; give counts or curve")
    figure = new_figure(7.0, 0.7 + PANEL_INCHES * len(panels))
    rows = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axes, (draw, given) in zip(rows, panels):
        _draw_lines(axes, score, threshold)
        draw(axes, given)
    _name_lines(rows[0], score, threshold)
    rows[-1].set_xlim(min(LEFT, (score or 0) - 0.05), 1.0)
    rows[-1].set_xlabel("score (cosine)")
    return png_of(figure)


def _draw_counts(axes, counts):
    """Draw the measured scores of both classes."""
    edges = np.linspace(
        counts["low"], counts["high"], len(counts["target"]) + 1
    )
    for (_, name, hatch, line, colour), key in zip(CLASSES, KEYS):
        shares = 100 * np.array(counts[key]) / max(1, sum(counts[key]))
        style = {"edgecolor": colour, "linestyle": line, "linewidth": 1.3}
        axes.stairs(shares, edges, fill=True, color=colour, alpha=0.12)
        axes.stairs(shares, edges, hatch=hatch, **style)
        top = int(shares.argmax())
        axes.annotate(
            name,
            ((edges[top] + edges[top + 1]) / 2, shares[top]),
            ha="center",
            va="bottom",
            color=colour,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
    axes.margins(y=0.18)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("% of pairs")


def _draw_curve(axes, curve):
    """Draw the probability of the same speaker by score."""
    scores, probabilities = curve
    axes.plot(scores, 100 * np.asarray(probabilities), color="0.25")
    axes.set_ylim(-4, 104)
    axes.set_ylabel("probability of\nsame speaker, %")
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.grid(axis="y", color="0.9")


def _draw_lines(axes, score, threshold):
    """Draw the score and the threshold as lines."""
    if threshold is not None:
        axes.axvline(threshold, color="black", linestyle="--", linewidth=1.2)
    if score is not None:
        axes.axvline(score, color="black", linewidth=2.6)


def _name_lines(axes, score, threshold):
    """Name both lines above the axes, away from each other."""
    named = {"threshold": threshold, "this pair": score}
    shown = {name: at for name, at in named.items() if at is not None}
    right = max(shown, key=shown.get, default=None)
    for name, at in shown.items():
        alone = len(shown) == 1
        axes.annotate(
            f"{name} {at:.3f}",
            (at, 1.02),
            xycoords=axes.get_xaxis_transform(),
            ha="center" if alone else "left" if name == right else "right",
            va="bottom",
            fontweight="bold" if name == "this pair" else "normal",
        )
