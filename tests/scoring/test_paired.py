"""Pairs of systems: signs, p-values, relative differences, refusals."""

import math

import numpy as np
import pytest
from simulated_trials import simulate

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.intervals import bootstrap_interval
from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.paired import paired_bootstrap


def eer(labels, scores, weights):
    return equal_error_rate(labels, scores, weights).eer


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
    good, broken = [0.1, 0.2], [0.1, bad]
    for systems in ((good, broken), (broken, good)):
        with pytest.raises(InputError, match="score 1 is"):
            paired_bootstrap(eer, labels, *systems, *speakers)


@pytest.mark.parametrize("wrong", [{"n_resamples": 0}, {"level": 1.0}])
def test_resampling_that_means_nothing_is_refused(wrong):
    scores, speakers = [0.9, 0.1], (["a", "a"], ["a", "b"])
    with pytest.raises(InputError, match=next(iter(wrong))):
        paired_bootstrap(eer, [1, 0], scores, scores, *speakers, **wrong)
