"""The DET plot: written whole, on the right axes, without pyplot."""

import os
import sys

import numpy as np
import pytest

from speechbrain_moe.report import det
from speechbrain_moe.scoring.metrics import det_curve

pytest.importorskip("matplotlib")


def curve(gap, n=400, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], n)
    return det_curve(labels, rng.normal(size=2 * n) + gap * labels)


@pytest.fixture
def axes(monkeypatch, tmp_path):
    """Plot curves and return the Axes that would have been written."""

    def plot(curves, **options):
        figures = []
        monkeypatch.setattr(
            det, "write_whole", lambda _, save: figures.append(save.args[0])
        )
        det.plot_det(curves, tmp_path / "det.png", **options)
        return figures[0].axes[0]

    return plot


def test_the_file_is_a_png_and_nothing_is_left_beside_it(tmp_path):
    det.plot_det({"dense": curve(2), "MoE": curve(3)}, tmp_path / "det.png")
    assert (tmp_path / "det.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert os.listdir(tmp_path) == ["det.png"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "det.png"
    path.write_text("old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        det.plot_det({"dense": curve(2)}, path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["det.png"]


def test_normal_scores_give_a_straight_line(axes):
    line = axes({"dense": curve(2, n=20_000)}).lines[1]
    p_fa, p_miss = line.get_data()
    inside = (np.abs(p_fa) < 2) & (np.abs(p_miss) < 2)
    # both deviates sum to minus the gap of the means, 2
    np.testing.assert_allclose((p_fa + p_miss)[inside], -2, atol=0.1)


def test_the_eer_is_marked_and_named(axes):
    plotted = axes({"dense": det_curve([0, 1, 0, 1], [1, 2, 3, 4])})
    marker = plotted.lines[2]
    assert marker.get_label() == "dense (EER 50.00 %)"
    assert marker.get_xdata()[0] == pytest.approx(0)


def test_systems_differ_without_colour(axes):
    plotted = axes({str(i): curve(2, seed=i) for i in range(8)})
    looks = {(x.get_linestyle(), x.get_marker()) for x in plotted.lines[2::2]}
    assert len(looks) == 8


def test_ticks_read_in_percent_on_both_axes(axes):
    plotted = axes({"dense": curve(2)}, title="dev")
    texts = [label.get_text() for label in plotted.get_xticklabels()]
    assert texts == ["0.2", "0.5", "1", "2", "5", "10", "20", "40"]
    assert plotted.get_xlim() == plotted.get_ylim()
    assert plotted.get_title() == "dev"


def test_perfect_inverted_and_tied_scores_can_be_drawn(tmp_path):
    scores = [0.1, 0.2, 0.8, 0.9]
    curves = {
        "perfect": det_curve([0, 0, 1, 1], scores),
        "inverted": det_curve([1, 1, 0, 0], scores),
        "tied": det_curve([0, 1], [0.5, 0.5]),
    }
    det.plot_det(curves, tmp_path / "det.png")
    assert (tmp_path / "det.png").stat().st_size > 1000


def test_no_curves_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no curves"):
        det.plot_det({}, tmp_path / "det.png")


def test_without_matplotlib_the_error_gives_the_pip_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"speechbrain-moe\[plots\]"):
        det.plot_det({"dense": curve(2)}, tmp_path / "det.png")


def test_names_may_hold_any_mark(tmp_path):
    name = "up to $5 (_$9)"
    det.plot_det({name: curve(2)}, tmp_path / "det.png", title=name)
    assert (tmp_path / "det.png").stat().st_size > 1000


def test_a_name_that_begins_with_an_underscore_is_in_the_legend(monkeypatch):
    drawn = []
    monkeypatch.setattr(det, "save_png", lambda figure, _: drawn.append(figure))
    monkeypatch.setattr(det, "write_whole", lambda _, save: save("det.png"))
    det.plot_det({"_dense": curve(2), "MoE": curve(2)}, "det.png")
    (legend,) = drawn[0].legends
    names = [text.get_text().split(" (")[0] for text in legend.get_texts()]
    assert [name.strip() for name in names] == ["_dense", "MoE"]
