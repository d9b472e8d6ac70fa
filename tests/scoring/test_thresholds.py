"""Thresholds: hand-counted, what they let through, and when refused."""

import json

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.thresholds import Threshold, decision_thresholds


def overlapping(n_each=40_000, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], n_each)
    return labels, rng.normal(size=2 * n_each) + 2 * labels


def test_at_a_false_alarm_rate_no_more_is_accepted_and_no_less_would_do():
    labels, scores = overlapping()
    nontargets = scores[labels == 0]
    found = decision_thresholds(labels, scores)
    for name, n_wanted in (("far1", 400), ("far0.1", 40)):
        value, n_errors, reason = found[name]
        assert np.count_nonzero(nontargets >= value) == n_errors == n_wanted
        lower = scores[scores < value].max()
        assert np.count_nonzero(nontargets >= lower) > n_wanted
        assert reason is None


def test_eer_threshold_is_that_of_the_eer_and_counts_the_rarer_error():
    labels, scores = overlapping(2000)
    labels, scores = labels[:-1000], scores[:-1000]  # half the targets
    found = decision_thresholds(labels, scores)["eer"]
    assert found.value == equal_error_rate(labels, scores).threshold
    assert found.n_errors == np.count_nonzero(scores[labels == 1] < found.value)


def test_29_false_alarms_are_refused_and_30_are_not():
    for n_nontargets, refused in ((2999, True), (3000, False)):
        labels = np.append(np.zeros(n_nontargets, dtype=int), [1, 1])
        scores = np.arange(n_nontargets + 2.0)
        found = decision_thresholds(labels, scores)["far1"]
        assert (found.value is None) == refused
        assert found.n_errors == 30 - refused


def test_a_refusal_gives_counts_and_a_way_out():
    found = decision_thresholds([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])
    assert all(threshold.value is None for threshold in found.values())
    assert found["eer"].reason.startswith("0 misses and 0 false alarms")
    assert "give more trials" in found["far1"].reason


def test_ties_never_let_more_than_the_rate_through():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 10_000)
    scores = np.round(rng.normal(size=20_000) + 2 * labels, 1)
    found = decision_thresholds(labels, scores)["far1"]
    assert np.mean(scores[labels == 0] >= found.value) <= 0.01


def test_thresholds_survive_json():
    found = decision_thresholds(*overlapping(4000))
    text = json.dumps({k: t._asdict() for k, t in found.items()})
    back = {k: Threshold(**t) for k, t in json.loads(text).items()}
    assert back == found
    assert back["far0.1"].value is None


def test_nan_and_a_missing_class_are_refused():
    with pytest.raises(InputError, match="score 1 is nan"):
        decision_thresholds([0, 1], [0.0, np.nan])
    with pytest.raises(InputError, match="at least one of each"):
        decision_thresholds([1, 1], [0.0, 1.0])


def test_min_errors_below_1_is_refused():
    with pytest.raises(InputError, match="min_errors is 0"):
        decision_thresholds([0, 1], [0.0, 1.0], min_errors=0)
