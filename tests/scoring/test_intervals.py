"""Intervals over speakers: a slow loop, coverage, seeds, refusals."""

import numpy as np
import pytest
from scipy.stats import norm
from simulated_trials import simulate

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.intervals import bootstrap_interval
from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.speaker_draws import speaker_weights


def eer(labels, scores, weights):
    return equal_error_rate(labels, scores, weights).eer


def test_estimate_is_the_metric_without_weights():
    trials = simulate(np.random.default_rng(0))
    result = bootstrap_interval(eer, *trials, n_resamples=20)
    assert result.estimate == equal_error_rate(*trials[:2]).eer


def test_interval_equals_a_slow_loop():
    labels, scores, enrol, test = simulate(np.random.default_rng(1), 12, 40)
    rng, values = np.random.default_rng(5), []
    for _ in range(25):
        counts = np.bincount(rng.integers(12, size=12), minlength=12)
        repeats = speaker_weights(counts, enrol, test).astype(int)
        rows = np.repeat(np.arange(len(labels)), repeats)
        values.append(equal_error_rate(labels[rows], scores[rows]).eer)
    expected = np.percentile(values, [5, 95])
    result = bootstrap_interval(
        eer, labels, scores, enrol, test, n_resamples=25, level=0.9, seed=5
    )
    assert (result.low, result.high) == pytest.approx(tuple(expected))


def test_same_seed_same_interval_and_other_seed_another():
    trials = simulate(np.random.default_rng(2))
    first, again, other = (
        bootstrap_interval(eer, *trials, n_resamples=30, seed=seed)
        for seed in (3, 3, 4)
    )
    assert first == again
    assert first.low != other.low


def test_higher_level_gives_a_wider_interval():
    trials = simulate(np.random.default_rng(3))
    narrow, wide = (
        bootstrap_interval(eer, *trials, n_resamples=100, level=level)
        for level in (0.5, 0.95)
    )
    assert wide.low < narrow.low < narrow.high < wide.high


def test_names_and_numbers_of_speakers_give_the_same_interval():
    labels, scores, enrol, test = simulate(np.random.default_rng(4), 9, 50)
    named = [[f"id{i}" for i in side] for side in (enrol, test)]
    assert bootstrap_interval(
        eer, labels, scores, *named, n_resamples=20
    ) == bootstrap_interval(eer, labels, scores, enrol, test, n_resamples=20)


def test_interval_covers_the_true_eer_about_as_often_as_it_says():
    rng, n_runs = np.random.default_rng(5), 50
    truth, covered = 100 * norm.cdf(-1.0), 0
    for _ in range(n_runs):
        result = bootstrap_interval(
            eer, *simulate(rng), n_resamples=80, level=0.9
        )
        covered += result.low <= truth <= result.high
    # 0.9 give or take three standard errors of 50 runs
    assert 0.77 <= covered / n_runs <= 1.0


def test_sharing_speakers_widens_the_interval():
    labels, scores, enrol, test = simulate(np.random.default_rng(6))
    shared = bootstrap_interval(eer, labels, scores, enrol, test, 200)
    own = 2 * np.arange(len(labels))  # as if no two trials had one in common
    alone = bootstrap_interval(
        eer, labels, scores, own, own + (labels == 0), 200
    )
    assert shared.high - shared.low > 1.5 * (alone.high - alone.low)


def test_draws_without_a_class_are_drawn_again_and_logged(caplog):
    result = bootstrap_interval(
        eer, [1, 0], [0.9, 0.1], ["a", "a"], ["a", "b"], n_resamples=20
    )
    assert (result.low, result.high) == (0, 0)
    assert "drawn again" in caplog.text


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused(bad):
    labels, speakers = [1, 0], (["a", "a"], ["a", "b"])
    with pytest.raises(InputError, match="score 1 is"):
        bootstrap_interval(eer, labels, [0.1, bad], *speakers)


def test_labels_that_contradict_the_speakers_are_refused():
    with pytest.raises(InputError, match="trial 1 has label 0"):
        bootstrap_interval(eer, [1, 0], [0.9, 0.1], ["a", "a"], ["a", "a"])


@pytest.mark.parametrize("labels", [[1, 1], [0, 0], [1, 2]])
def test_one_class_or_other_labels_are_refused(labels):
    with pytest.raises(InputError, match="labels must be"):
        bootstrap_interval(eer, labels, [0.9, 0.1], ["a", "a"], ["a", "b"])


def test_shapes_that_differ_are_refused():
    with pytest.raises(InputError, match="one of each per trial"):
        bootstrap_interval(eer, [1, 0], [0.9, 0.1], ["a"], ["a", "b"])
    with pytest.raises(InputError, match="one label and one score"):
        bootstrap_interval(eer, [1, 0], [0.9], ["a", "a"], ["a", "b"])


def test_a_metric_that_returns_nan_is_refused():
    with pytest.raises(InputError, match="the metric returned nan"):
        bootstrap_interval(
            lambda *_: np.nan, [1, 0], [0.9, 0.1], ["a", "a"], ["a", "b"]
        )


@pytest.mark.parametrize(
    "wrong", [{"n_resamples": 0}, {"level": 0.0}, {"level": 95}]
)
def test_resampling_that_means_nothing_is_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        bootstrap_interval(
            eer, [1, 0], [0.9, 0.1], ["a", "a"], ["a", "b"], **wrong
        )
