"""Pictures of single recordings, as PNG bytes: waveform, experts.

 * a waveform is drawn by its highest and lowest samples in each column, so
   that clicks and clipping stay visible at any length
 * bars carry their numbers, and differ in hatch as well as in colour

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import numpy as np

from speechbrain_moe.report.det import new_figure
from speechbrain_moe.report.png import png_of
from speechbrain_moe.report.routing_figures import BAR_COLOURS, expert_names

N_COLUMNS = 800
HATCHES = ("", "///")


def draw_waveform(wav, sample_rate: int) -> bytes:
    """Draw a waveform.

    Arguments
    ---------
    wav : array_like
        Samples in [-1, 1], [S], S > 0.
    sample_rate : int
        In Hz.

    Returns
    -------
    bytes
        A PNG.

    Raises
    ------
    MissingPackageError
        If matplotlib is missing; the message gives the pip line.

    Example
    -------
    >>> draw_waveform([0.0, 0.5, -0.5], 16000)[1:4]
    b'PNG'
    """
    wav = np.asarray(wav)
    low, high = outline(wav)
    seconds = np.linspace(0, len(wav) / sample_rate, len(low))
    figure = new_figure(4.6, 1.4)
    axes = figure.add_subplot()
    axes.fill_between(seconds, low, high, color="0.25", linewidth=0.6)
    axes.set_xlim(0, len(wav) / sample_rate)
    axes.set_ylim(-1.02, 1.02)
    axes.set_yticks([-1, 0, 1])
    axes.set_xlabel("s")
    return png_of(figure)


def outline(wav):
    """Lowest and highest sample of each column.

    Arguments
    ---------
    wav : numpy.ndarray
        Samples [S], S > 0.

    Returns
    -------
    low, high : numpy.ndarray
        At most 800 each.

    Example
    -------
    >>> [side.tolist() for side in outline(np.array([0.5, -0.5]))]
    [[0.5, -0.5], [0.5, -0.5]]
    """
    n_columns = min(N_COLUMNS, len(wav))
    starts = np.arange(n_columns) * len(wav) // n_columns
    return np.minimum.reduceat(wav, starts), np.maximum.reduceat(wav, starts)


def draw_experts(weights: dict, n_experts: int) -> bytes:
    """Draw what each expert counts for in one or two recordings.

    Arguments
    ---------
    weights : dict of array_like
        Weights of all experts by name of the recording, each sums to 1, [A].
    n_experts : int
        Experts of the gate; one more is always on.

    Returns
    -------
    bytes
        A PNG.

    Raises
    ------
    MissingPackageError
        If matplotlib is missing; the message gives the pip line.

    Example
    -------
    >>> draw_experts({"a": [0.3, 0.7], "b": [0.5, 0.5]}, n_experts=2)[1:4]
    b'PNG'
    """
    n_all = len(next(iter(weights.values())))
    figure = new_figure(max(6.4, 1.0 + 0.8 * n_all), 2.4)
    axes = figure.add_subplot()
    for k, (name, shares) in enumerate(weights.items()):
        bars = axes.bar(
            np.arange(n_all) + 0.4 * (k - (len(weights) - 1) / 2),
            100 * np.asarray(shares),
            width=0.38,
            color=BAR_COLOURS[k % 2],
            hatch=HATCHES[k % 2],
            edgecolor="black",
            label=name,
        )
        axes.bar_label(bars, fmt="%.0f", fontsize=8, padding=1)
    axes.set_xticks(range(n_all), expert_names(n_experts, n_all))
    axes.set_ylabel("weight, %")
    axes.margins(y=0.15)
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return png_of(figure)
