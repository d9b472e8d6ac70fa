"""Calibration and fusion: held-out gain, invariances, exact storage."""

import json

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.calibration import (
    Calibration,
    fit_calibration,
    quality_columns,
)
from speechbrain_moe.scoring.costs import act_dcf, cllr
from speechbrain_moe.scoring.metrics import min_dcf


def simulate(seed, n=6000, drop=0.2):
    """Scores that fall by drop per halving of the shorter duration."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    enrol, test = np.log2(rng.uniform(1, 16, (2, n)))
    scores = 0.1 * rng.normal(size=n) + 0.4 * labels
    scores += drop * (np.minimum(enrol, test) - 4)
    return labels, scores, enrol, test


def columns_of(scores, enrol, test):
    return {"cosine": scores, **quality_columns("log_duration", enrol, test)}


def test_quality_lowers_cllr_on_other_trials_where_it_shifts_scores():
    labels, scores, *durations = simulate(0)
    alone = fit_calibration(labels, {"cosine": scores})
    aware = fit_calibration(labels, columns_of(scores, *durations))
    labels, scores, *durations = simulate(1)
    before = cllr(labels, alone.apply({"cosine": scores}))
    after = cllr(labels, aware.apply(columns_of(scores, *durations)))
    assert after < 0.6 * before


def test_qualities_of_pure_noise_cost_next_to_nothing_on_other_trials():
    labels, scores, *durations = simulate(2, drop=0.0)
    alone = fit_calibration(labels, {"cosine": scores})
    aware = fit_calibration(labels, columns_of(scores, *durations))
    labels, scores, *durations = simulate(3, drop=0.0)
    before = cllr(labels, alone.apply({"cosine": scores}))
    after = cllr(labels, aware.apply(columns_of(scores, *durations)))
    assert after < 1.02 * before


def test_swapping_enrol_and_test_changes_nothing():
    labels, scores, enrol, test = simulate(4, n=500)
    there = fit_calibration(labels, columns_of(scores, enrol, test))
    back = fit_calibration(labels, columns_of(scores, test, enrol))
    assert there == back


def test_ratios_of_exact_scores_come_back():
    """Gaussians of variance v at +-v/2 are their own ratios."""
    rng = np.random.default_rng(5)
    labels = np.repeat([0, 1], 50_000)
    llrs = 2 * rng.normal(size=100_000) + np.where(labels, 2, -2)
    fitted = fit_calibration(labels, {"score": (llrs - 3) / 20}, p_target=0.2)
    assert fitted.weights[0] == pytest.approx(20, rel=0.02)
    assert fitted.offset == pytest.approx(3, abs=0.05)


def test_ratios_do_not_depend_on_the_share_of_targets_in_the_trials():
    labels, scores, *_ = simulate(6, drop=0.0)
    once = fit_calibration(labels, {"s": scores})
    repeats = np.where(labels == 1, 1, 7)
    more = fit_calibration(
        np.repeat(labels, repeats), {"s": np.repeat(scores, repeats)}
    )
    assert more.weights == pytest.approx(once.weights, rel=1e-4)
    assert more.offset == pytest.approx(once.offset, rel=1e-4)


def test_weights_equal_repetition():
    labels, scores, *_ = simulate(7, n=800)
    repeats = np.random.default_rng(7).integers(0, 4, len(labels))
    weighted = fit_calibration(labels, {"s": scores}, weights=repeats)
    repeated = fit_calibration(
        np.repeat(labels, repeats), {"s": np.repeat(scores, repeats)}
    )
    assert weighted.weights == pytest.approx(repeated.weights, rel=1e-4)
    assert weighted.offset == pytest.approx(repeated.offset, rel=1e-4)


def test_units_of_a_column_do_not_change_the_ratios():
    labels, scores, *durations = simulate(8, n=1000)
    columns = columns_of(scores, *durations)
    other = {name: 1e4 * values + 1e5 for name, values in columns.items()}
    expected = fit_calibration(labels, columns).apply(columns)
    result = fit_calibration(labels, other).apply(other)
    np.testing.assert_allclose(result, expected, atol=1e-3)


def test_act_dcf_is_close_to_min_dcf_at_the_prior_of_the_fit():
    labels, scores, *_ = simulate(9, n=20_000, drop=0.0)
    fitted = fit_calibration(labels, {"s": scores}, p_target=0.05)
    labels, scores, *_ = simulate(10, n=20_000, drop=0.0)
    llrs = fitted.apply({"s": scores})
    lowest = min_dcf(labels, llrs, 0.05).min_dcf
    assert act_dcf(labels, llrs, 0.05) < lowest + 0.02


def test_fusion_of_two_systems_beats_each_on_other_trials():
    def systems(seed):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 2, 4000)
        a, b = rng.normal(size=(2, 4000)) + 2 * labels
        return labels, {"a": a, "b": b}

    labels, both = systems(11)
    names = ("a", "b")
    fused = fit_calibration(labels, both, score_names=names)
    alone = {n: fit_calibration(labels, {n: both[n]}) for n in names}
    labels, both = systems(12)
    costs = [cllr(labels, alone[n].apply({n: both[n]})) for n in names]
    assert cllr(labels, fused.apply(both)) < 0.8 * min(costs)


def test_a_constant_column_gets_weight_0():
    labels, scores, *_ = simulate(13, n=500)
    constant = np.full(500, 0.1)  # its mean is not 0.1 to the last bit
    fitted = fit_calibration(labels, {"s": scores, "q": constant})
    alone = fit_calibration(labels, {"s": scores})
    assert fitted.weights[1] == 0.0
    assert fitted.offset == pytest.approx(alone.offset, abs=1e-6)


def test_a_column_given_twice_shares_its_weight():
    labels, scores, *_ = simulate(14, n=500)
    once = fit_calibration(labels, {"s": scores})
    twice = fit_calibration(labels, {"s": scores, "t": scores})
    assert twice.weights[0] == pytest.approx(twice.weights[1], rel=1e-3)
    assert sum(twice.weights) == pytest.approx(once.weights[0], rel=1e-2)


def test_separable_classes_give_finite_ratios():
    scores = np.concatenate([np.linspace(0, 0.4, 50), np.linspace(0.6, 1, 50)])
    labels = np.repeat([0, 1], 50)
    llrs = fit_calibration(labels, {"s": scores}).apply({"s": scores})
    assert np.abs(llrs).max() < 100
    assert llrs[labels == 1].min() > 3 > -3 > llrs[labels == 0].max()


def test_scores_the_wrong_way_round_are_refused():
    labels, scores, *_ = simulate(15, n=500)
    with pytest.raises(InputError, match="wrong way round"):
        fit_calibration(labels, {"distance": -scores})


def test_a_fusion_with_one_score_the_wrong_way_round_is_logged(caplog):
    labels, scores, *_ = simulate(16, n=500, drop=0.0)
    other = np.random.default_rng(16).normal(size=500) - 2 * labels
    columns = {"right": scores, "wrong": other}
    fit_calibration(labels, columns, score_names=("right", "wrong"))
    assert "['wrong'] get weights of 0 or below" in caplog.text


def test_storing_as_json_keeps_every_bit():
    labels, scores, *durations = simulate(17, n=500)
    columns = columns_of(scores, *durations)
    fitted = fit_calibration(labels, columns)
    stored = json.loads(json.dumps(fitted.to_dict()))
    back = Calibration.from_dict(stored)
    assert back == fitted
    np.testing.assert_array_equal(back.apply(columns), fitted.apply(columns))


def test_order_of_the_columns_does_not_matter_to_apply():
    labels, scores, *durations = simulate(18, n=500)
    columns = columns_of(scores, *durations)
    fitted = fit_calibration(labels, columns)
    turned = dict(reversed(columns.items()))
    np.testing.assert_array_equal(fitted.apply(turned), fitted.apply(columns))


@pytest.mark.parametrize(
    "given", [{}, {"a": [1]}, {"a": [1], "b": [1], "c": [1]}]
)
def test_apply_refuses_columns_other_than_the_fitted(given):
    with pytest.raises(InputError, match=r"fitted on \['a', 'b'\]"):
        Calibration(("a", "b"), (1.0, 1.0), 0.0).apply(given)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_columns_that_are_not_finite_are_refused_by_name(bad):
    with pytest.raises(InputError, match="column q is .* at trial 1"):
        fit_calibration([0, 1], {"s": [0.0, 1.0], "q": [0.0, bad]})
    with pytest.raises(InputError, match="column s is"):
        Calibration(("s",), (1.0,), 0.0).apply({"s": [0.0, bad]})
    with pytest.raises(InputError, match="snr .test. is"):
        quality_columns("snr", [0.0, 1.0], [1.0, bad])


@pytest.mark.parametrize(
    "labels, wrong, match",
    [
        ([0, 0], {}, "at least one of each"),
        ([0, 2], {}, "labels must be"),
        ([0, 1, 1], {}, "one label and one score"),
        ([0, 1], {"p_target": 0.0}, "p_target"),
        ([0, 1], {"weights": [1, 0]}, "at least one of each"),
        ([0, 1], {"weights": [1, np.nan]}, "weights must be"),
        ([0, 1], {"score_names": ["t"]}, "score_names"),
        ([0, 1], {"columns": {}}, "score_names"),
        ([0, 1], {"columns": {"s": [1, 2], "q": [1]}}, "column q has shape"),
    ],
)
def test_what_cannot_be_fitted_is_refused(labels, wrong, match):
    given = {"columns": {"s": [0.0, 1.0]}, **wrong}
    with pytest.raises(InputError, match=match):
        fit_calibration(labels, **given)


@pytest.mark.parametrize(
    "change, match",
    [
        ({"weights": [1.0, 2.0]}, "one per distinct name"),
        ({"weights": [float("nan")]}, "weights .* nan"),
        ({"offset": None}, "offset .* None"),
    ],
)
def test_a_broken_store_is_refused(change, match):
    stored = {"names": ["s"], "weights": [1.0], "offset": 0.0, **change}
    with pytest.raises(InputError, match=match):
        Calibration.from_dict(stored)


def test_a_store_without_a_key_is_refused():
    with pytest.raises(InputError, match="has no offset"):
        Calibration.from_dict({"names": ["s"], "weights": [1.0]})
