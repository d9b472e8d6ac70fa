import json

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.histogram import count_scores, share_below


def test_every_trial_is_counted_in_its_class():
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 0], [30, 70])
    counts = count_scores(labels, rng.uniform(-1, 1, 100))
    assert sum(counts["target"]) == 30 and sum(counts["nontarget"]) == 70
    json.dumps(counts)


def test_rounding_beyond_one_stays_in_the_outer_bin():
    counts = count_scores([1, 1], [1 + 1e-7, -1 - 1e-7])
    assert counts["target"][0] == counts["target"][-1] == 1


def test_share_below_agrees_with_the_scores():
    scores = np.random.default_rng(0).normal(0.5, 0.1, 5000)
    counts = count_scores(np.ones(5000), scores)
    for score in (0.3, 0.5, 0.613):
        found = share_below(counts["target"], -1, 1, score)
        assert found == pytest.approx(np.mean(scores < score), abs=0.005)


def test_share_below_is_none_and_all_at_the_ends():
    assert share_below([3, 1], -1, 1, -1) == 0
    assert share_below([3, 1], -1, 1, 1) == 1


@pytest.mark.parametrize("scores", [[0.5], [0.5, np.nan]])
def test_scores_that_do_not_fit_the_labels_are_refused(scores):
    with pytest.raises(InputError, match="2 labels and"):
        count_scores([1, 0], scores)
