"""Score histogram: both classes, the threshold and what it does."""

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.report.score_histogram import plot_scores

LABELS = np.repeat([0, 1], [300, 100])


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    return rng.normal(0.1, 0.15, 400) + 0.5 * LABELS


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_each_class_has_an_area_of_one_however_many_trials(drawn, scores):
    steps = drawn(plot_scores, LABELS, scores).axes[0].patches
    outlines = [step.get_data() for step in steps if not step.get_fill()]
    areas = [np.sum(d.values * np.diff(d.edges)) for d in outlines]
    np.testing.assert_allclose(areas, [1, 1])


def test_classes_differ_without_colour(drawn, scores):
    steps = drawn(plot_scores, LABELS, scores).axes[0].patches
    outlines = [step for step in steps if not step.get_fill()]
    assert len({step.get_hatch() for step in outlines}) == 2
    assert len({str(step.get_linestyle()) for step in outlines}) == 2


def test_classes_carry_their_names_and_counts(drawn, scores):
    assert texts(drawn(plot_scores, LABELS, scores)) == [
        "different speakers\n300 trials",
        "same speaker\n100 trials",
    ]


def test_the_threshold_says_its_error_rates(drawn):
    figure = drawn(
        plot_scores, [0, 0, 0, 0, 1, 1], [0, 1, 2, 5, 4, 6], threshold=5
    )
    said = "threshold 5.000: 50.0 % misses, 25.0 % false alarms"
    assert said in texts(figure)


@pytest.mark.parametrize("threshold", [-2.0, 0.4, 2.0])
def test_words_at_the_threshold_stay_on_the_picture(drawn, scores, threshold):
    figure = drawn(plot_scores, LABELS, scores, threshold=threshold)
    box = figure.axes[0].texts[-1].get_window_extent()
    assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1


def test_a_marked_score_is_pointed_at_by_name(drawn, scores):
    figure = drawn(plot_scores, LABELS, scores, marked={"yours": 0.42})
    assert "yours: 0.420" in texts(figure)
    assert figure.axes[0].texts[-1].xy == (0.42, 0.0)


def test_equal_scores_can_be_drawn(drawn):
    assert drawn(plot_scores, [0, 1], [0.5, 0.5]).axes[0].patches


@pytest.mark.parametrize(
    ("labels", "scores", "options", "words"),
    [
        ([0, 1], [0.5], {}, "one label and one score"),
        ([1, 1], [0.5, 0.4], {}, "both of them"),
        ([0, 2], [0.5, 0.4], {}, "0 and 1"),
        ([0, 1], [0.5, np.nan], {}, "NaN"),
        ([0, 1], [0.5, 0.4], {"threshold": np.inf}, "NaN or Inf"),
        ([0, 1], [0.5, 0.4], {"marked": {"a": np.nan}}, "NaN or Inf"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    tmp_path, labels, scores, options, words
):
    with pytest.raises(InputError, match=words):
        plot_scores(labels, scores, tmp_path / "x.png", **options)
