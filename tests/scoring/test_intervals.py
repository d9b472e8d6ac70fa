"""The bootstrap over speakers: weights, coverage, pairs of systems."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from speechbrain_moe.scoring.intervals import (
    bootstrap_interval,
    paired_bootstrap,
    speaker_weights,
    speakers_of,
)
from speechbrain_moe.scoring.metrics import equal_error_rate


def eer(labels, scores, weights):
    return equal_error_rate(labels, scores, weights).eer


def simulate(rng, n_speakers=30, n_each=240, gap=2.0):
    """Trials whose scores share a speaker part; true EER Phi(-gap / 2)."""
    enrol = rng.integers(n_speakers, size=2 * n_each)
    other = rng.integers(1, n_speakers, size=2 * n_each)
    labels = np.repeat([1, 0], n_each)
    test = np.where(labels == 1, enrol, (enrol + other) % n_speakers)
    target_part = np.sqrt(0.5) * rng.normal(size=n_speakers)
    nontarget_part = 0.5 * rng.normal(size=n_speakers)
    shared = np.where(
        labels == 1,
        gap + target_part[enrol],
        nontarget_part[enrol] + nontarget_part[test],
    )
    scores = shared + np.sqrt(0.5) * rng.normal(size=2 * n_each)
    return labels, scores, enrol, test


def test_speakers_are_the_first_component():
    assert speakers_of(["a/s/1.wav", "b/2.wav"]) == ["a", "b"]


@pytest.mark.parametrize("path", ["1.wav", "/a/1.wav", ""])
def test_paths_without_a_speaker_are_refused(path):
    with pytest.raises(ValueError, match="no speaker in the path"):
        speakers_of([path])


def test_weights_count_the_trials_of_a_copied_list():
    counts = np.array([2, 1, 0, 3])
    enrol, test = np.array([0, 0, 3, 2]), np.array([0, 3, 3, 0])
    copies = np.repeat(np.arange(4), counts)
    slow = [
        np.sum(copies == e)
        if e == t
        else sum(a == e and b == t for a in copies for b in copies)
        for e, t in zip(enrol, test)
    ]
    assert speaker_weights(counts, enrol, test).tolist() == slow


def test_drawing_each_speaker_once_weighs_each_trial_once():
    ids = np.arange(3)
    weights = speaker_weights(np.ones(3, dtype=int), ids, ids[::-1])
    assert weights.tolist() == [1, 1, 1]


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


def test_a_system_does_not_differ_from_itself():
    labels, scores, enrol, test = simulate(np.random.default_rng(7))
    result = paired_bootstrap(eer, labels, scores, scores, enrol, test, 50)
    assert result == (0, 0, 0, 1, 0, 0, 0)


def test_swapping_the_systems_turns_the_sign():
    labels, scores, enrol, test = simulate(np.random.default_rng(8))
    better = scores + 0.3 * labels
    there = paired_bootstrap(eer, labels, scores, better, enrol, test, 100)
    back = paired_bootstrap(eer, labels, better, scores, enrol, test, 100)
    assert there.difference == -back.difference
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert there.p_value == back.p_value


def test_a_clear_gain_is_found_although_the_intervals_overlap():
    labels, scores, enrol, test = simulate(np.random.default_rng(9))
    better = scores + 0.3 * labels
    speakers = (enrol, test, 200)
    a = bootstrap_interval(eer, labels, scores, *speakers)
    b = bootstrap_interval(eer, labels, better, *speakers)
    paired = paired_bootstrap(eer, labels, scores, better, *speakers)
    assert b.high > a.low
    assert paired.high < 0


def test_p_value_is_never_0_and_counts_both_sides():
    labels, scores, enrol, test = simulate(np.random.default_rng(10))
    better = scores + labels
    result = paired_bootstrap(eer, labels, scores, better, enrol, test, 99)
    assert result.p_value == 2 / 100


def test_relative_difference_is_to_the_first_system():
    labels, scores, enrol, test = simulate(np.random.default_rng(11))
    better = scores + 0.3 * labels
    result = paired_bootstrap(eer, labels, scores, better, enrol, test, 50)
    baseline = equal_error_rate(labels, scores).eer
    assert result.relative == pytest.approx(result.difference / baseline)
    assert result.relative_low <= result.relative <= result.relative_high


def test_relative_to_a_perfect_system_is_nan_and_logged(caplog):
    labels, scores, enrol, test = simulate(np.random.default_rng(12))
    result = paired_bootstrap(eer, labels, labels, scores, enrol, test, 20)
    assert result.difference > 0
    assert all(map(math.isnan, result[4:]))
    assert "no interval" in caplog.text


def test_random_systems_are_seldom_called_different():
    rng, found = np.random.default_rng(13), 0
    for _ in range(40):
        labels, scores, enrol, test = simulate(rng, n_each=120)
        a, b = scores + 0.5 * rng.normal(size=(2, len(scores)))
        result = paired_bootstrap(eer, labels, a, b, enrol, test, 60)
        found += result.p_value < 0.1
    assert found <= 10  # 4 expected, 10 is three standard errors above


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused_in_either_system(bad):
    labels, speakers = [1, 0], (["a", "a"], ["a", "b"])
    with pytest.raises(ValueError, match="score 1 is"):
        bootstrap_interval(eer, labels, [0.1, bad], *speakers)
    with pytest.raises(ValueError, match="score 1 is"):
        paired_bootstrap(eer, labels, [0.1, 0.2], [0.1, bad], *speakers)


def test_labels_that_contradict_the_speakers_are_refused():
    with pytest.raises(ValueError, match="trial 1 has label 0"):
        bootstrap_interval(eer, [1, 0], [0.9, 0.1], ["a", "a"], ["a", "a"])


@pytest.mark.parametrize("labels", [[1, 1], [0, 0], [1, 2]])
def test_one_class_or_other_labels_are_refused(labels):
    with pytest.raises(ValueError, match="labels must be"):
        bootstrap_interval(eer, labels, [0.9, 0.1], ["a", "a"], ["a", "b"])


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="one of each per trial"):
        bootstrap_interval(eer, [1, 0], [0.9, 0.1], ["a"], ["a", "b"])
    with pytest.raises(ValueError, match="one label and one score"):
        bootstrap_interval(eer, [1, 0], [0.9], ["a", "a"], ["a", "b"])


def test_a_metric_that_returns_nan_is_refused():
    with pytest.raises(ValueError, match="the metric returned nan"):
        bootstrap_interval(
            lambda *_: np.nan, [1, 0], [0.9, 0.1], ["a", "a"], ["a", "b"]
        )


@pytest.mark.parametrize(
    "wrong", [{"n_resamples": 0}, {"level": 0.0}, {"level": 95}]
)
def test_resampling_that_means_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        bootstrap_interval(
            eer, [1, 0], [0.9, 0.1], ["a", "a"], ["a", "b"], **wrong
        )
