"""Routing heatmap: means of groups, with their numbers on them."""

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.report.routing_heatmap import plot_routing

PROBS = [[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]]
GROUPS = ["quiet", "quiet", "noisy"]


def test_a_cell_is_the_mean_of_its_group(drawn):
    axes = drawn(plot_routing, PROBS, GROUPS).axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), [[20, 80], [80, 20]])
    assert [text.get_text() for text in axes.texts] == ["20", "80", "80", "20"]


def test_rows_say_how_many_files_stand_behind_them(drawn):
    ticks = drawn(plot_routing, PROBS, GROUPS).axes[0].get_yticklabels()
    texts = [tick.get_text() for tick in ticks]
    assert texts == ["noisy  (n = 1)", "quiet  (n = 2)"]


@pytest.mark.parametrize(
    ("probs", "groups", "words"),
    [
        (PROBS, GROUPS[:2], "one group per row"),
        ([0.5, 0.5], ["a", "b"], "one group per row"),
        ([[0.9, 0.3]], ["a"], "do not sum to 1"),
        ([[np.nan, 0.3]], ["a"], "do not sum to 1"),
        (np.ones((0, 1)), [], "0 groups"),
        (np.ones((61, 1)), [str(i) for i in range(61)], "61 groups"),
    ],
)
def test_what_is_no_routing_is_refused(tmp_path, probs, groups, words):
    with pytest.raises(InputError, match=words):
        plot_routing(probs, groups, tmp_path / "x.png")
