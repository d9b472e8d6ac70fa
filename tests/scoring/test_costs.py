"""actDCF and Cllr: hand-worked, against slow loops, at the extremes."""

import math

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.costs import act_dcf, bayes_threshold, cllr
from speechbrain_moe.scoring.metrics import min_dcf


def random_llrs(seed, n=200):
    """Badly calibrated ratios, with ties."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    llrs = np.round(3 * rng.normal(size=n) + 4 * labels - rng.uniform(0, 4), 1)
    return labels, llrs


def slow_act_dcf(labels, llrs, weights, p_target, c_miss, c_fa):
    """Decide each trial by its posterior odds, one by one."""
    lost = {0: 0.0, 1: 0.0}
    for y, llr, w in zip(labels, llrs, weights):
        odds = math.exp(llr) * p_target / (1 - p_target)
        accepted = odds * c_miss >= c_fa
        lost[y] += w * (accepted != (y == 1))
    totals = [sum(w for y, w in zip(labels, weights) if y == k) for k in (0, 1)]
    cost = c_miss * p_target * lost[1] / totals[1]
    cost += c_fa * (1 - p_target) * lost[0] / totals[0]
    return cost / min(c_miss * p_target, c_fa * (1 - p_target))


def slow_cllr(labels, llrs, weights):
    sums, totals = [0.0, 0.0], [0.0, 0.0]
    for y, llr, w in zip(labels, llrs, weights):
        sums[y] += w * math.log2(1 + math.exp(-llr if y else llr))
        totals[y] += w
    return (sums[0] / totals[0] + sums[1] / totals[1]) / 2


@pytest.mark.parametrize("p_target, c_miss, c_fa", [(0.01, 1, 1), (0.3, 10, 2)])
@pytest.mark.parametrize("seed", range(4))
def test_act_dcf_agrees_with_a_slow_loop(seed, p_target, c_miss, c_fa):
    labels, llrs = random_llrs(seed)
    weights = np.random.default_rng(seed).integers(0, 4, len(labels))
    costs = p_target, c_miss, c_fa
    expected = slow_act_dcf(labels, llrs, weights, *costs)
    result = act_dcf(labels, llrs, *costs, weights=weights)
    assert result == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_cllr_agrees_with_a_slow_loop(seed):
    labels, llrs = random_llrs(seed)
    weights = np.random.default_rng(seed).integers(0, 4, len(labels))
    expected = slow_cllr(labels, llrs, weights)
    assert cllr(labels, llrs, weights) == pytest.approx(expected, abs=1e-12)


def test_bayes_threshold_is_0_where_both_errors_cost_alike():
    assert bayes_threshold(0.5) == 0.0
    assert bayes_threshold(0.01, c_miss=99.0) == pytest.approx(0.0, abs=1e-12)


def test_act_dcf_of_a_hand_worked_case():
    # threshold log 99 = 4.6: of four targets one is below, of two
    # nontargets one above: 1/4 + 99/2
    llrs = [4.5, 4.7, 5.0, 9.0, 0.0, 4.7]
    result = act_dcf([1, 1, 1, 1, 0, 0], llrs, p_target=0.01)
    assert result == pytest.approx(0.25 + 49.5)


def test_a_ratio_at_the_threshold_is_accepted():
    assert act_dcf([0, 1], [-1.0, 0.0], p_target=0.5) == 0.0


@pytest.mark.parametrize("p_target", [0.001, 0.01, 0.05, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(10))
def test_act_dcf_is_never_below_min_dcf(seed, p_target):
    labels, llrs = random_llrs(seed)
    lowest = min_dcf(labels, llrs, p_target).min_dcf
    assert act_dcf(labels, llrs, p_target) >= lowest


def test_ratios_that_know_nothing_cost_what_no_scores_cost():
    labels = [0, 0, 1]
    assert act_dcf(labels, np.zeros(3), p_target=0.01) == 1.0
    assert cllr(labels, np.zeros(3)) == 1.0


def test_cllr_of_a_hand_worked_case():
    # odds of 3 for the target, 1/3 for the nontarget: log2(4/3) each
    result = cllr([1, 0], [math.log(3), -math.log(3)])
    assert result == pytest.approx(math.log2(4 / 3))


def test_ratios_of_a_thousand_are_stable():
    assert cllr([1, 0], [1000.0, -1000.0]) == 0.0
    wrong = cllr([1, 0], [-1000.0, 1000.0])
    assert wrong == pytest.approx(1000 / math.log(2))
    assert act_dcf([1, 0], [1000.0, -1000.0], p_target=0.01) == 0.0


def test_cllr_is_least_for_the_true_ratios():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 5000)
    llrs = rng.normal(size=10000) * 2 + np.where(labels, 2, -2)  # exact
    right = cllr(labels, llrs)
    for scale, shift in [(0.5, 0), (2, 0), (1, 1), (1, -1)]:
        assert cllr(labels, scale * llrs + shift) > right


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("cost", [cllr, lambda y, s: act_dcf(y, s, 0.01)])
def test_ratios_that_are_not_finite_are_refused(cost, bad):
    with pytest.raises(InputError, match="score 1 is"):
        cost([0, 1], [0.0, bad])


@pytest.mark.parametrize("labels", [[0, 0], [1, 1]])
@pytest.mark.parametrize("cost", [cllr, lambda y, s: act_dcf(y, s, 0.01)])
def test_one_class_missing_is_refused(cost, labels):
    with pytest.raises(InputError, match="at least one of each"):
        cost(labels, [0.0, 1.0])


@pytest.mark.parametrize("wrong", [{"p_target": 1}, {"c_fa": 0}])
def test_prior_and_costs_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        act_dcf([0, 1], [0.0, 1.0], **{"p_target": 0.01, **wrong})
