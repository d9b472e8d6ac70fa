"""Load of each expert and the gate's two entropies, epoch by epoch.

 * drawn from train_log.txt, as SpeechBrain's logger writes it
 * an expert below the dashed line at 1 % is dead; where all lines lie near
   the dotted one the load is even
 * entropy of the load high and of one utterance low is what is wanted: low
   and low is collapse, high and high is no specialisation
 * experts differ in line style and marker, and carry their names

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.report.det import COLOURS, LINES, MARKERS, new_figure
from speechbrain_moe.report.png import save_png

DEAD_LOAD = 0.01  # the training log counts experts below it as dead
PAIR = re.compile(r"([\w ]+): ([^,\s]+)")
ENTROPIES = {
    "load_entropy": "entropy of the load",
    "route_entropy": "mean entropy of an utterance",
}


def read_epochs(path) -> dict[int, dict[str, float]]:
    """Read the numbers of every epoch of a training log.

    Arguments
    ---------
    path : str or Path
        A train_log.txt.

    Returns
    -------
    dict
        Epoch -> name -> number, in order. Names are as in the log, such as
        ``train load_0``. An epoch that stands there twice counts as it was
        the last time.

    Raises
    ------
    InputError
        If the file is missing or holds no epoch.

    Example
    -------
    >>> path = getfixture("tmp_path") / "train_log.txt"
    >>> line = "epoch: 1, lr: 1e-03 - train load_0: 0.4 - valid dev_eer: 9.5"
    >>> _ = path.write_text(line)
    >>> read_epochs(path)[1]
    {'lr': 0.001, 'train load_0': 0.4, 'valid dev_eer': 9.5}
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a train_log.txt")
    epochs = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        found = {name.strip(): text for name, text in PAIR.findall(line)}
        if "epoch" in found:
            epoch = int(found.pop("epoch"))
            epochs[epoch] = {name: float(x) for name, x in found.items()}
    if not epochs:
        raise InputError(f"{path}: holds no line with an epoch")
    return dict(sorted(epochs.items()))


def plot_load(log, path, title: str | None = None):
    """Write a PNG with each expert's load, and both entropies, by epoch.

    Arguments
    ---------
    log : str or Path
        The train_log.txt of a mixture.
    path : str or Path
        PNG to write; an older one is replaced when the new one is whole.
    title : str, optional
        Line above the plot.

    Raises
    ------
    InputError
        If the log is missing or says nothing of experts.
    MissingPackageError
        If matplotlib is missing; the message gives the pip line.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> line = "epoch: 1 - train load_0: 0.4, train load_1: 0.6\\n"
    >>> _ = (folder / "train_log.txt").write_text(line)
    >>> plot_load(folder / "train_log.txt", folder / "load.png")
    >>> (folder / "load.png").read_bytes()[1:4]
    b'PNG'
    """
    epochs = read_epochs(log)
    n_experts = len(_names(epochs, r"train load_\d+"))
    if not n_experts:
        raise InputError(f"{log}: no load of experts in it; give a mixture's")
    figure = new_figure(7.0, 5.2)
    upper, lower = figure.subplots(2, sharex=True)
    shown = {f"train load_{i}": f"expert {i}" for i in range(n_experts)}
    _draw_lines(upper, epochs, shown, 100)
    _draw_level(upper, 100 / n_experts, "even", ":")
    _draw_level(upper, 100 * DEAD_LOAD, "below: dead", "--")
    upper.set_ylim(bottom=0)
    upper.margins(y=0.15)
    upper.set_ylabel("load, % of utterances")
    shown = {f"train {name}": text for name, text in ENTROPIES.items()}
    _draw_lines(lower, epochs, shown, 1)
    lower.set_ylim(-0.03, 1.03)
    lower.set_ylabel("entropy, share of log E")
    lower.set_xlabel("epoch")
    if title:
        figure.suptitle(title)
    write_whole(path, partial(save_png, figure))


def _names(epochs, pattern):
    """Return the names of numbers, in any epoch, that fit a pattern."""
    names = {name for numbers in epochs.values() for name in numbers}
    return [name for name in names if re.fullmatch(pattern, name)]


def _draw_lines(axes, epochs, shown, factor):
    """Draw one line for each name, and a legend with lines and markers."""
    for i, (name, text) in enumerate(shown.items()):
        values = [numbers.get(name, np.nan) for numbers in epochs.values()]
        axes.plot(
            [*epochs],
            factor * np.array(values),
            color=COLOURS[i % len(COLOURS)],
            linestyle=LINES[i % len(LINES)],
            marker=MARKERS[i % len(MARKERS)],
            markersize=5,
            markevery=max(1, len(epochs) // 8),
            label=text,
        )
    axes.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=4,
        handlelength=3.5,
        frameon=False,
    )
    axes.grid(color="0.9", linewidth=0.6)
    axes.xaxis.get_major_locator().set_params(integer=True)


def _draw_level(axes, value, text, line):
    """Draw a level across, with its name at the right."""
    axes.axhline(value, color="0.4", linestyle=line, linewidth=1)
    axes.annotate(
        f" {text}",
        (1.0, value),
        xycoords=axes.get_yaxis_transform(),
        va="center",
        color="0.3",
    )
