"""Error rates of groups of trials as bars, with their intervals.

 * drawn from subgroups.csv, as the recipe's verify.py writes it
 * groups that are too small to say anything are hollow, without an interval
 * number of speakers and the value stand beside each bar

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.report.det import COLOURS, new_figure
from speechbrain_moe.report.png import save_png

# key of a rate in the csv -> name on the axis, factor to percent
RATES = {
    "eer": ("EER, %, at the group's own threshold", 1),
    "p_miss": ("misses, % of target trials, one threshold for all", 100),
    "p_fa": ("false alarms, % of nontarget trials, one threshold", 100),
}
HATCHES = ("", "///", "...", "xx", "\\\\\\", "++")
ROW_INCHES = 0.34


def plot_subgroups(
    table, path, rate: str = "eer", overall: float | None = None
):
    """Write a PNG with a bar for each group of every column.

    Arguments
    ---------
    table : str or Path
        A subgroups.csv.
    path : str or Path
        PNG to write; an older one is replaced when the new one is whole.
    rate : str
        ``eer``, ``p_miss`` or ``p_fa``. The EER of a group, at a threshold
        of its own, flatters; the others are at one threshold for all.
    overall : float, optional
        The rate of the whole list in percent, as a line.

    Raises
    ------
    InputError
        If the table is missing, lacks a column, or has no such rate.
    MissingPackageError
        If matplotlib is missing; the message gives the pip line.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> _ = (folder / "subgroups.csv").write_text(
    ...     "column,group,n_speakers,eer,eer_low,eer_high,note\\n"
    ...     "gender,f,15,6.3,2.4,11.1,\\ngender,m,15,8.1,4.5,11.7,\\n"
    ... )
    >>> plot_subgroups(folder / "subgroups.csv", folder / "groups.png")
    >>> (folder / "groups.png").read_bytes()[1:4]
    b'PNG'
    """
    if rate not in RATES:
        raise InputError(f"rate is {rate!r}; choose one of {', '.join(RATES)}")
    rows = _read(table, rate)
    name, factor = RATES[rate]
    figure = new_figure(7.0, 1.0 + ROW_INCHES * (len(rows) + _n_gaps(rows)))
    axes = figure.add_subplot()
    places = np.arange(len(rows)) + (rows["block"] * 0.7).to_numpy()
    for y, row in zip(places, rows.to_dict("records")):
        _draw_bar(axes, y, row, rate, factor)
    axes.set_yticks(places, rows["text"])
    axes.set_ylim(places[-1] + 0.6, -0.6)
    axes.tick_params(axis="y", length=0)
    ends = rows[[rate, f"{rate}_high"]].max(axis=None)
    axes.set_xlim(0, 1.35 * factor * max(ends, 1e-3))
    axes.set_xlabel(name + "; 95 % interval over speakers")
    if overall is not None:
        axes.axvline(overall, color="black", linestyle="--", linewidth=1)
        axes.set_title(f"dashed: all trials, {overall:.1f} %", fontsize=10)
    write_whole(path, partial(save_png, figure))


def _read(table, rate):
    """Return the rows that have the rate, with their block and text."""
    path = Path(table)
    if not path.is_file():
        raise InputError(f"{path}: no such file; run verify.py for one")
    texts, numbers = ("column", "group", "note"), ("", "_low", "_high")
    numbers = ["n_speakers", *(f"{rate}{end}" for end in numbers)]
    # None and NA are groups like others
    rows = pd.read_csv(
        path,
        dtype=dict.fromkeys(texts, str),
        keep_default_na=False,
        na_values=dict.fromkeys(numbers, [""]),
    )
    wanted = [*texts, *numbers]
    lacking = [name for name in wanted if name not in rows]
    if lacking:
        raise InputError(f"{path}: lacks the columns {', '.join(lacking)}")
    rows = rows[rows[rate].notna()].reset_index(drop=True)
    if rows.empty:
        raise InputError(f"{path}: no group in it has a {rate}")
    rows["block"] = pd.factorize(rows["column"])[0]
    rows["text"] = [
        f"{column}: {group}\n{n} speakers"
        for column, group, n in zip(
            rows["column"], rows["group"], rows["n_speakers"]
        )
    ]
    return rows


def _n_gaps(rows):
    """Return how many rows the gaps between blocks are worth."""
    return 0.7 * rows["block"].max()


def _draw_bar(axes, y, row, rate, factor):
    """Draw one group: bar, interval and number."""
    value = factor * row[rate]
    low, high = (factor * row[f"{rate}_{end}"] for end in ("low", "high"))
    small = bool(row["note"])
    axes.barh(
        y,
        value,
        height=0.62,
        color="none" if small else COLOURS[5],
        edgecolor="0.4" if small else "black",
        linestyle="--" if small else "-",
        hatch="" if small else HATCHES[row["block"] % len(HATCHES)],
    )
    if np.isfinite(low):
        # around its own middle: the value may lie outside of it
        style = {"color": "black", "linewidth": 1.6, "capsize": 4}
        axes.errorbar((low + high) / 2, y, xerr=(high - low) / 2, **style)
    text = f"  {value:.1f}" + ("  (too few to say)" if small else "")
    end = max(high, value) if np.isfinite(high) else value
    axes.annotate(text, (end, y), va="center")
