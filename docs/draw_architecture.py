"""Draw the figure of the architecture: ``python docs/draw_architecture.py``.

 * writes figures/architecture.png beside this file
 * what runs is drawn in full lines, what a hard choice leaves out is dashed;
   what training alone has is dotted

Authors
 * The speechbrain_moe developers 2026
"""

from functools import partial
from pathlib import Path

from speechbrain_moe.files import write_whole
from speechbrain_moe.report.det import new_figure

FILE = Path(__file__).parent / "figures" / "architecture.png"
GATE, EXPERT, PLAIN = "#cfe4f3", "#fbe3c0", "#f2f2f2"
STYLE = {"boxstyle": "round,pad=0.02,rounding_size=0.08", "linewidth": 1.2}
# name -> text, middle, size, colour
BOXES = {
    "wavs": ("waveform\n16 kHz", (0.6, 3.0), (1.0, 0.9), PLAIN),
    "feats": ("log-mel\n80 x frames", (2.1, 3.0), (1.2, 0.9), PLAIN),
    "gate": (
        "gate\nmasked CNN, mean and\nstd over frames, linear",
        (4.4, 4.9),
        (2.2, 1.1),
        GATE,
    ),
    "probs": ("softmax\nover E experts", (6.85, 4.9), (1.5, 1.1), GATE),
    "choice": (
        "selection\nsoft: all weights\ntop-k: the k largest",
        (9.0, 4.9),
        (1.9, 1.1),
        GATE,
    ),
    "norm": ("sentence mean\nremoved", (4.0, 2.0), (1.4, 0.9), PLAIN),
    "shared": (
        "shared first\nblocks (0 to 5)",
        (5.75, 2.0),
        (1.4, 0.9),
        EXPERT,
    ),
    "expert 0": ("expert 0: ECAPA-TDNN", (7.9, 3.1), (2.2, 0.55), EXPERT),
    "expert 1": ("expert 1: ECAPA-TDNN", (7.9, 2.3), (2.2, 0.55), EXPERT),
    "expert E": ("expert E-1: ECAPA-TDNN", (7.9, 0.9), (2.2, 0.55), EXPERT),
    "unit 0": ("unit length", (10.0, 3.1), (1.1, 0.55), PLAIN),
    "unit 1": ("unit length", (10.0, 2.3), (1.1, 0.55), PLAIN),
    "unit E": ("unit length", (10.0, 0.9), (1.1, 0.55), PLAIN),
    "sum": ("weighted\nsum", (11.6, 2.3), (1.0, 0.9), PLAIN),
    "embedding": (
        "embedding\nunit length\n[batch, 1, 192]",
        (13.4, 2.3),
        (1.6, 1.1),
        PLAIN,
    ),
    "loss": (
        "cosines to speakers\nangular margin loss",
        (13.4, 0.6),
        (1.9, 0.8),
        "white",
    ),
    "balance": ("balance loss\nz-loss", (11.6, 5.55), (1.3, 0.8), "white"),
}
ARROWS = (
    ("wavs", "feats"),
    ("gate", "probs"),
    ("probs", "choice"),
    ("norm", "shared"),
    *((f"expert {i}", f"unit {i}") for i in "01E"),
    ("unit 1", "sum"),
    ("sum", "embedding"),
)
# The expert in the middle is the one that a top-1 choice runs
DASHED = {"expert 0", "unit 0", "expert E", "unit E"}
DOTTED = {"loss", "balance"}


def draw(axes):
    """Draw boxes and arrows."""
    for name, (text, (x, y), (width, height), colour) in BOXES.items():
        draw_box(axes, name, text, x, y, width, height, colour)
    for start, end in ARROWS:
        draw_arrow(axes, edge(start, 1, 0), edge(end, -1, 0), start in DASHED)
    bend = "angle3,angleA=90,angleB=0"
    draw_arrow(axes, edge("feats", 0, 1), edge("gate", -1, 0), bend=bend)
    bend = "angle3,angleA=-90,angleB=0"
    draw_arrow(axes, edge("feats", 0, -1), edge("norm", -1, 0), bend=bend)
    for i in "01E":
        end = edge(f"expert {i}", -1, 0)
        draw_arrow(axes, edge("shared", 1, 0), end, i != "1")
    draw_arrow(axes, edge("unit 0", 1, 0), edge("sum", -1, 0.5), True)
    draw_arrow(axes, edge("unit E", 1, 0), edge("sum", -1, -0.5), True)
    bend = "angle3,angleA=0,angleB=90"
    draw_arrow(axes, edge("choice", 1, 0), edge("sum", 0, 1), bend=bend)
    draw_arrow(axes, edge("embedding", 0, -1), edge("loss", 0, 1), dotted=True)
    draw_arrow(
        axes, edge("choice", 1, 0.5), edge("balance", -1, 0), dotted=True
    )
    axes.text(7.9, 1.6, "...", ha="center", va="center", fontsize=14)
    axes.text(12.25, 3.6, "weights", ha="center", fontsize=9, style="italic")
    axes.text(
        0.1,
        0.15,
        "full: what top-1 runs for this utterance; dashed: what it leaves "
        "out (a soft mixture runs all); dotted: training",
        fontsize=9,
        style="italic",
    )


def draw_box(axes, name, text, x, y, width, height, colour):
    """Draw one step with its text."""
    from matplotlib.patches import FancyBboxPatch

    line = "--" if name in DASHED else ":" if name in DOTTED else "-"
    box = FancyBboxPatch(
        (x - width / 2, y - height / 2),
        width,
        height,
        facecolor=colour,
        edgecolor="black",
        linestyle=line,
        **STYLE,
    )
    axes.add_patch(box)
    axes.text(x, y, text, ha="center", va="center", fontsize=9)


def edge(name, right, up):
    """Point of a box: its middle, moved by shares of half its size."""
    _, (x, y), (width, height), _ = BOXES[name]
    return x + right * width / 2, y + up * height / 2


def draw_arrow(axes, start, end, dashed=False, dotted=False, bend="arc3"):
    """Draw one way that data takes."""
    line = "--" if dashed else ":" if dotted else "-"
    axes.annotate(
        "",
        end,
        start,
        arrowprops={
            "arrowstyle": "-|>",
            "color": "black",
            "linestyle": line,
            "shrinkA": 2,
            "shrinkB": 2,
            "connectionstyle": bend,
        },
    )


def main():
    """Write the picture."""
    figure = new_figure(11.6, 4.9)
    axes = figure.add_subplot()
    draw(axes)
    axes.set_xlim(0, 14.5)
    axes.set_ylim(0, 6.1)
    axes.set_axis_off()
    write_whole(FILE, partial(figure.savefig, format="png"))


if __name__ == "__main__":
    main()
