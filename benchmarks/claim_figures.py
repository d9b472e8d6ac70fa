"""Figures of the experiment, written beside docs/experiment.md.

 * what is told apart differs in marker and line as well as in colour, so
   the figures survive a greyscale printer
 * drawn on Figures of their own: no pyplot, no window

Authors
 * The speechbrain_moe developers 2026
"""

from functools import partial

import numpy as np
from claim_results import label_of
from claim_statistics import LISTS, eer

from speechbrain_moe.files import write_whole
from speechbrain_moe.report.det import COLOURS, new_figure, plot_det
from speechbrain_moe.report.png import save_png
from speechbrain_moe.scoring.metrics import det_curve

KINDS = ("MoE", "ECAPA")  # of the endpoint's pair
# Filled and dark against hollow and lighter
SOLID = {"color": COLOURS[0], "marker": "o", "linestyle": "-"}
HOLLOW = {
    "color": COLOURS[2],
    "marker": "s",
    "linestyle": "--",
    "markerfacecolor": "white",
}


def plot_eers(summaries, endpoint, path):
    """Write a dot for each system and list, with its interval.

    Arguments
    ---------
    summaries : dict
        {system: {list: Summary}}, from top to bottom.
    endpoint : tuple of str or None
        The two systems drawn solid.
    path : Path
        PNG to write.
    """
    figure = new_figure(9, 1.4 + 0.32 * len(summaries))
    panels = figure.subplots(1, len(LISTS), sharey=True)
    for axes, name in zip(panels, LISTS):
        for height, (system, found) in enumerate(summaries.items()):
            if name in found:
                style = SOLID if system in (endpoint or ()) else HOLLOW
                draw_interval(axes, height, found[name].eer, style)
        axes.set_title(name)
        axes.grid(color="0.9", linewidth=0.6)
        axes.set_axisbelow(True)
    labels = [label_of_summary(found) for found in summaries.values()]
    panels[0].set_yticks(range(len(labels)), labels)
    panels[0].set_ylim(len(labels) - 0.5, -0.5)  # the first system on top
    figure.supxlabel(
        "EER (%), folds pooled, 95 % interval over speakers; "
        "filled: the endpoint's pair",
        fontsize="medium",
    )
    save(figure, path)


def draw_interval(axes, height, found, style):
    """Draw an EER and its interval at this height."""
    low, high = found.estimate - found.low, found.high - found.estimate
    arms = np.array([[low], [high]])
    look = {**style, "linestyle": "none", "ecolor": style["color"]}
    # percentiles may both lie on one side of the estimate
    axes.errorbar(
        found.estimate, height, xerr=arms.clip(min=0), capsize=2.5, **look
    )


def plot_endpoint_det(results, path):
    """Write the DET curves of the endpoint's pair on its common folds.

    Arguments
    ---------
    results : claim_results.Results
        Rows of an endpoint that ran.
    path : Path
        PNG to write.
    """
    pair = results.endpoint()
    curves = {}
    for name in LISTS:
        folds = results.common_folds("main", pair, name)
        if not folds:
            continue
        both = results.pooled_pair("main", pair, name, folds)
        for kind, pooled in zip(KINDS, both):
            curves[f"{kind}, {name}"] = det_curve(*pooled[:2])
    # labels stand in the title: four of them overflow the legend
    title = "\n".join(
        f"{kind}: {label_of(results.rows('main', system)[0])}"
        for kind, system in zip(KINDS, pair)
    )
    if curves:
        plot_det(curves, path, title)


def plot_folds(results, path):
    """Write the EER of the endpoint's pair on each fold.

    Arguments
    ---------
    results : claim_results.Results
        Rows of an endpoint that ran.
    path : Path
        PNG to write.
    """
    figure = new_figure(7, 3.6)
    pair = results.endpoint()
    panels = figure.subplots(1, len(LISTS), sharey=True)
    for axes, name in zip(panels, LISTS):
        folds = results.common_folds("main", pair, name)
        for system, style in zip(pair, (SOLID, HOLLOW)):
            eers = [
                eer(*results.pooled("main", system, name, [fold])[:2])
                for fold in folds
            ]
            label = label_of(results.rows("main", system)[0])
            axes.plot([str(fold) for fold in folds], eers, label=label, **style)
        axes.set_title(name)
        axes.set_xlabel("fold")
        axes.grid(axis="y", color="0.9", linewidth=0.6)
        axes.margins(x=0.15)
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("EER (%)")
    entries = panels[0].get_legend_handles_labels()
    figure.legend(*entries, loc="outside lower center", ncols=2)
    save(figure, path)


def label_of_summary(of_lists):
    """What a system is called, with the folds that it ran."""
    rows = next(iter(of_lists.values())).rows
    n = len(rows)
    return f"{label_of(rows[0])} ({n} fold{'s' if n > 1 else ''})"


def save(figure, path):
    """Write a PNG, whole or not at all."""
    write_whole(path, partial(save_png, figure))
