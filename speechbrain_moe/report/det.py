"""DET plot: misses against false alarms on normal-deviate axes.

 * curves of normally distributed scores become straight lines, and the
   corner of rare errors gets most of the room
 * systems differ in line style and marker as well as in colour, so the
   plot survives a greyscale printer
 * drawn on a Figure of its own: no pyplot, no window, no global state
 * matplotlib is imported when a plot is asked for, not before

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.special import ndtri  # scipy.stats.norm.ppf, without scipy.stats

from speechbrain_moe.errors import InputError, MissingPackageError
from speechbrain_moe.files import write_whole
from speechbrain_moe.report.png import save_png
from speechbrain_moe.scoring.metrics import DetCurve, curve_eer

TICKS = (
    *(0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05),
    *(0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99),
)
NO_ROOM = (0.0002, 0.0005)  # for their numbers, side by side
DPI = 150
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
# Okabe and Ito's colours, dark to light: apart for colour-blind readers
COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")


def plot_det(curves: dict[str, DetCurve], path, title: str | None = None):
    """Write a PNG with one DET curve per system and its EER marked.

    Axes after Martin, Doddington, Kamm, Ordowski and Przybocki, "The DET
    curve in assessment of detection task performance", Eurospeech 1997.
    Both axes show the same range, up to 40 % (more if an EER is above) and
    down to what the trials resolve, 1 % to 0.01 %; the rest is cut off. The
    marker is at the EER, or at the edge when the EER is outside.

    Arguments
    ---------
    curves : dict
        Name of the system -> DetCurve, in the order of the legend.
    path : str or Path
        PNG to write; an older one is replaced when the new one is whole.
    title : str, optional
        Line above the plot, for instance the trial list.

    Raises
    ------
    InputError
        If there are no curves.
    MissingPackageError
        If matplotlib is missing; the message gives the pip line.

    Example
    -------
    >>> from speechbrain_moe.scoring.metrics import det_curve
    >>> path = getfixture("tmp_path") / "det.png"
    >>> curve = det_curve([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9])
    >>> plot_det({"ECAPA": curve}, path)
    >>> path.read_bytes()[1:4]
    b'PNG'
    """
    if not curves:
        raise InputError("no curves to plot; give {name: det_curve(...)}")
    n_lines = title.count("\n") + 1 if title else 0
    figure = new_figure(6, 6.6 + 0.3 * n_lines)
    axes = figure.add_subplot()
    low, high = _limits(curves.values())
    axes.plot(ndtri([low, high]), ndtri([low, high]), "0.8", linewidth=0.8)
    for index, (name, curve) in enumerate(curves.items()):
        _draw(axes, index, name, curve, low, high)
    _label_axes(axes, low, high)
    if title:
        axes.set_title(title)
    # below the axes: inside, it would hide the curves of weak systems
    figure.legend(loc="outside lower center", ncols=2, handlelength=3.5)
    write_whole(path, partial(save_png, figure))


def new_figure(width: float, height: float):
    """Make an empty figure that needs no display.

    Arguments
    ---------
    width, height : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure
        Without axes.

    Raises
    ------
    MissingPackageError
        If matplotlib is missing; the message gives the pip line.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingPackageError(
            'plots need matplotlib: pip install "speechbrain-moe[plots]"'
        ) from error
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def _limits(curves):
    """Return the smallest and largest share on the axes, two TICKS."""
    ticks = np.array(TICKS)
    rates = np.concatenate([np.r_[c.p_miss, c.p_fa] for c in curves])
    smallest = np.clip(rates[rates > 0].min(), ticks[0], 0.01)
    worst = max(curve_eer(curve).eer for curve in curves) / 100.0
    largest = np.clip(1.5 * worst, 0.4, ticks[-1])
    low, high = ticks[ticks <= smallest][-1], ticks[ticks >= largest][0]
    return float(low), float(high)


def _draw(axes, index, name, curve, low, high):
    """Draw one curve, and its EER with the name for the legend."""
    style = {
        "color": COLOURS[index % len(COLOURS)],
        "linestyle": LINES[index % len(LINES)],
        "linewidth": 1.6,
    }
    # 0 and 1 lie at infinity: held far outside the axes, they are cut off
    shares = np.clip([curve.p_fa, curve.p_miss], 1e-9, 1 - 1e-9)
    axes.plot(*ndtri(shares), **style)
    eer = curve_eer(curve).eer
    label = f"{name} (EER {eer:.2f} %)"
    point = ndtri(np.clip(eer / 100.0, low, high))
    axes.plot(
        point,
        point,
        marker=MARKERS[index % len(MARKERS)],
        markersize=7,
        clip_on=False,
        # matplotlib leaves out of a legend what begins with an underscore
        label=f" {label}" if label.startswith("_") else label,
        **style,
    )


def _label_axes(axes, low, high):
    """Set range, ticks in % and names of both axes."""
    ticks = [tick for tick in TICKS if low <= tick <= high]
    texts = [f"{100 * tick:g}" for tick in ticks]
    axes.set_yticks(ndtri(ticks), texts)
    pairs = zip(ticks, texts)
    texts = ["" if tick in NO_ROOM else text for tick, text in pairs]
    axes.set_xticks(ndtri(ticks), texts)
    axes.set_xlim(*ndtri([low, high]))
    axes.set_ylim(*ndtri([low, high]))
    axes.set_aspect("equal")
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("False alarms (% of nontarget trials)")
    axes.set_ylabel("Misses (% of target trials)")
