import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from speechbrain_moe.errors import InputError
from speechbrain_moe.report.score_place import draw_place
from speechbrain_moe.scoring.histogram import count_scores

CURVE = [-1.0, 0.0, 1.0], [0.0, 0.5, 1.0]


@pytest.fixture
def counts():
    return count_scores([0, 0, 1, 1], [0.0, 0.1, 0.6, 0.7])


@pytest.fixture
def drawn(monkeypatch):
    """Figures in place of their PNG."""
    figures = []

    def keep(self, file, **kwargs):
        figures.append(self)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_score_and_threshold_stand_where_they_are(drawn, counts):
    draw_place(0.62, 0.4, counts, CURVE)
    for axes in drawn[0].axes:
        at = {line.get_xdata()[0] for line in axes.lines}
        assert {0.62, 0.4} <= at
    assert "this pair 0.620" in texts(drawn[0])
    assert "threshold 0.400" in texts(drawn[0])


def test_nothing_is_drawn_that_was_not_measured(drawn, counts):
    draw_place(0.6, 0.4, counts=counts)
    draw_place(0.6, 0.4, curve=CURVE)
    assert [len(figure.axes) for figure in drawn] == [1, 1]
    assert drawn[0].axes[0].get_ylabel() == "% of pairs"
    assert drawn[1].axes[0].get_ylabel().startswith("probability")
    with pytest.raises(InputError, match="give counts or curve"):
        draw_place(0.6, 0.4)


def test_axis_reaches_a_score_that_is_far_below(drawn):
    draw_place(-0.8, 0.4, curve=CURVE)
    low, high = drawn[0].axes[0].get_xlim()
    assert low < -0.8 and high == 1


def test_classes_differ_without_colour(drawn, counts):
    draw_place(0.6, 0.4, counts)
    hatched = [p for p in drawn[0].axes[0].patches if p.get_hatch()]
    assert len({p.get_hatch() for p in hatched}) == 2
    assert len({str(p.get_linestyle()) for p in hatched}) == 2


def test_png_is_a_picture(counts):
    png = draw_place(0.6, None, counts, CURVE)
    assert np.asarray(Image.open(io.BytesIO(png)).convert("L")).std() > 5
