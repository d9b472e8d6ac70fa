"""The error rates: hand-worked, against scikit-learn and against loops."""

from fractions import Fraction

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from speechbrain_moe.scoring.metrics import (
    curve_eer,
    det_curve,
    equal_error_rate,
    min_dcf,
)


def slow_points(labels, scores, weights):
    """Exact (p_miss, p_fa) at each distinct score and above, by loops."""
    trials = list(zip(labels, scores, map(Fraction, weights)))
    targets = sum(w for label, _, w in trials if label == 1)
    nontargets = sum(w for label, _, w in trials if label == 0)
    points = []
    for threshold in [*sorted(set(scores)), np.inf]:
        missed = sum(w for y, s, w in trials if y == 1 and s < threshold)
        passed = sum(w for y, s, w in trials if y == 0 and s >= threshold)
        points.append((missed / targets, passed / nontargets))
    return points


def slow_eer(points):
    """Exact crossing of the polygon with p_miss = p_fa, in percent."""
    for (miss_0, fa_0), (miss_1, fa_1) in zip(points, points[1:]):
        if miss_1 >= fa_1:
            part = (fa_0 - miss_0) / (miss_1 - fa_1 + fa_0 - miss_0)
            return float(100 * (miss_0 + part * (miss_1 - miss_0)))


def slow_min_dcf(points, p_target, c_miss, c_fa):
    costs = [
        c_miss * p_target * float(miss) + c_fa * (1 - p_target) * float(fa)
        for miss, fa in points
    ]
    return min(costs) / min(c_miss * p_target, c_fa * (1 - p_target))


def random_trials(seed, n=300, n_values=None):
    """Overlapping classes; n_values distinct scores make many ties."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    scores = rng.normal(size=n) + labels
    if n_values:
        scores = np.round(scores * n_values / 6) * 6 / n_values
    return labels, scores


def test_det_curve_of_a_hand_worked_case():
    curve = det_curve([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9])
    assert curve.p_miss.tolist() == [0, 0, 0.5, 0.5, 1]
    assert curve.p_fa.tolist() == [1, 0.5, 0.5, 0, 0]
    assert curve.thresholds[:4].tolist() == [0.1, 0.4, 0.6, 0.9]


def test_last_threshold_is_finite_and_rejects_all():
    scores = np.array([0.3, 0.7])
    last = det_curve([0, 1], scores).thresholds[-1]
    assert np.isfinite(last) and not (scores >= last).any()


def test_accepting_at_a_threshold_gives_the_rates_of_the_curve():
    labels, scores = random_trials(1, n_values=12)
    curve = det_curve(labels, scores)
    accepted = scores[:, None] >= curve.thresholds
    p_miss = 1 - accepted[labels == 1].mean(0)
    p_fa = accepted[labels == 0].mean(0)
    np.testing.assert_allclose(curve.p_miss, p_miss, atol=1e-12)
    np.testing.assert_allclose(curve.p_fa, p_fa, atol=1e-12)


def test_tied_trials_are_decided_together():
    curve = det_curve([1, 0, 1, 0], [0.5, 0.5, 0.5, 0.5])
    assert curve.p_miss.tolist() == [0, 1]
    assert curve.p_fa.tolist() == [1, 0]


@pytest.mark.parametrize("n_values", [None, 12])
def test_det_curve_agrees_with_scikit_learn(n_values):
    labels, scores = random_trials(2, n_values=n_values)
    p_fa, hits, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    curve = det_curve(labels, scores)
    np.testing.assert_allclose(curve.p_fa, p_fa[::-1], atol=1e-12)
    np.testing.assert_allclose(curve.p_miss, 1 - hits[::-1], atol=1e-12)
    np.testing.assert_array_equal(curve.thresholds[:-1], thresholds[:0:-1])


@pytest.mark.parametrize("n_values", [None, 12])
def test_eer_agrees_with_scikit_learn(n_values):
    labels, scores = random_trials(3, n_values=n_values)
    p_fa, hits, _ = roc_curve(labels, scores, drop_intermediate=False)
    expected = 100 * np.interp(0, (hits + p_fa - 1), p_fa)
    assert equal_error_rate(labels, scores).eer == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(8))
def test_eer_agrees_with_exact_fractions(seed):
    labels, scores = random_trials(seed, n=60, n_values=8 if seed % 2 else None)
    weights = np.random.default_rng(seed).integers(1, 5, 60)
    expected = slow_eer(slow_points(labels, scores, weights.tolist()))
    assert equal_error_rate(labels, scores, weights).eer == pytest.approx(
        expected, abs=1e-10
    )


@pytest.mark.parametrize("p_target, c_miss, c_fa", [(0.01, 1, 1), (0.3, 10, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_min_dcf_agrees_with_exact_fractions(seed, p_target, c_miss, c_fa):
    labels, scores = random_trials(seed, n=60, n_values=20)
    points = slow_points(labels, scores, [1] * 60)
    expected = slow_min_dcf(points, p_target, c_miss, c_fa)
    result = min_dcf(labels, scores, p_target, c_miss, c_fa)
    assert result.min_dcf == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "labels, scores, eer",
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], 0.0),  # perfect
        ([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9], 100.0),  # inverted
        ([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5], 50.0),  # all tied
        ([0, 0, 0, 1, 1, 1], [1, 2, 4, 3, 5, 6], 100 / 3),
        # (miss, fa) goes (0, 1/2) -> (1/3, 0): t = 3/5, so 1/5
        ([0, 0, 1, 1, 1], [1, 2, 2, 3, 4], 20.0),
    ],
)
def test_eer_of_hand_worked_cases(labels, scores, eer):
    assert equal_error_rate(labels, scores).eer == pytest.approx(eer)


def test_eer_threshold_separates_perfect_scores():
    result = equal_error_rate([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])
    assert result.threshold == 0.8


def test_eer_threshold_brings_both_rates_near_the_eer():
    labels, scores = random_trials(4, n=2000)
    eer, threshold = equal_error_rate(labels, scores)
    p_miss = np.mean(scores[labels == 1] < threshold)
    p_fa = np.mean(scores[labels == 0] >= threshold)
    assert 100 * p_miss == pytest.approx(eer, abs=0.2)
    assert 100 * p_fa == pytest.approx(eer, abs=0.2)


def test_min_dcf_of_a_hand_worked_case():
    # threshold 0.9: one of two targets missed, no false alarm
    result = min_dcf([0, 0, 1, 1], [0.1, 0.6, 0.5, 0.9], p_target=0.01)
    assert result.min_dcf == pytest.approx(0.5)
    assert result.threshold == 0.9


def test_min_dcf_is_0_for_perfect_and_1_for_inverted_scores():
    scores = [0.1, 0.2, 0.8, 0.9]
    assert min_dcf([0, 0, 1, 1], scores).min_dcf == 0
    assert min_dcf([1, 1, 0, 0], scores).min_dcf == 1


def test_min_dcf_normalises_by_the_better_of_accept_all_and_reject_all():
    labels, scores = [1, 0], [0.5, 0.5]
    assert min_dcf(labels, scores, p_target=0.01).min_dcf == 1
    assert min_dcf(labels, scores, p_target=0.99).min_dcf == pytest.approx(1)


def test_costs_scaled_alike_leave_min_dcf_unchanged():
    labels, scores = random_trials(5)
    once = min_dcf(labels, scores, 0.05, 1, 1)
    assert min_dcf(labels, scores, 0.05, 7, 7).min_dcf == pytest.approx(
        once.min_dcf
    )


@pytest.mark.parametrize("metric", [equal_error_rate, min_dcf])
def test_weights_equal_repetition(metric):
    labels, scores = random_trials(6, n_values=30)
    weights = np.random.default_rng(6).integers(0, 4, len(labels))
    repeated = metric(np.repeat(labels, weights), np.repeat(scores, weights))
    assert metric(labels, scores, weights=weights) == pytest.approx(repeated)


@pytest.mark.parametrize("metric", [equal_error_rate, min_dcf])
def test_order_of_trials_does_not_matter(metric):
    labels, scores = random_trials(7, n_values=30)
    order = np.random.default_rng(7).permutation(len(labels))
    assert metric(labels[order], scores[order]) == metric(labels, scores)


def test_rising_maps_of_the_scores_leave_the_eer_unchanged():
    labels, scores = random_trials(8)
    before, after = (
        equal_error_rate(labels, s).eer for s in (scores, np.tanh(scores / 4))
    )
    assert before == pytest.approx(after)


def test_curve_eer_equals_equal_error_rate():
    labels, scores = random_trials(9)
    assert curve_eer(det_curve(labels, scores)) == equal_error_rate(
        labels, scores
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="score 1 is"):
        equal_error_rate([0, 1], [0.1, bad])


@pytest.mark.parametrize("labels", [[0, 0], [1, 1], []])
def test_one_class_missing_is_refused(labels):
    with pytest.raises(ValueError, match="at least one of each"):
        equal_error_rate(labels, np.zeros(len(labels)))


def test_a_class_whose_weights_are_all_0_is_refused():
    with pytest.raises(ValueError, match="at least one of each"):
        equal_error_rate([0, 1, 1], [0, 1, 2], weights=[0, 1, 1])


@pytest.mark.parametrize("labels", [[0, 2], [0, -1], [0.5, 1], ["0", "1"]])
def test_labels_other_than_0_and_1_are_refused(labels):
    with pytest.raises(ValueError, match="labels must be"):
        equal_error_rate(labels, [0.1, 0.2])


@pytest.mark.parametrize("weights", [[1, -1], [1, np.nan], [1, np.inf]])
def test_weights_that_cannot_be_counts_are_refused(weights):
    with pytest.raises(ValueError, match="finite and not negative"):
        equal_error_rate([0, 1], [0.1, 0.2], weights)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="one label and one score"):
        equal_error_rate([0, 1], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="one per trial"):
        equal_error_rate([0, 1], [0.1, 0.2], [1.0])


@pytest.mark.parametrize("p_target", [0, 1, -0.1, 1.1, np.nan])
def test_p_target_outside_0_to_1_is_refused(p_target):
    with pytest.raises(ValueError, match="p_target"):
        min_dcf([0, 1], [0.1, 0.2], p_target)


@pytest.mark.parametrize("name", ["c_miss", "c_fa"])
@pytest.mark.parametrize("cost", [0, -1, np.nan, np.inf])
def test_costs_not_above_0_are_refused(name, cost):
    with pytest.raises(ValueError, match=name):
        min_dcf([0, 1], [0.1, 0.2], **{name: cost})
