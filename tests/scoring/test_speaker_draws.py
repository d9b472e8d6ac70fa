"""Draws of speakers: weights of trials, systems side by side."""

import numpy as np
from simulated_trials import simulate

from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.speaker_draws import (
    resample_metric,
    speaker_weights,
)


def eer(labels, scores, weights):
    return equal_error_rate(labels, scores, weights).eer


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


def test_a_system_is_measured_alike_alone_and_beside_another():
    labels, scores, *speakers = simulate(np.random.default_rng(14))
    better = scores + 0.3 * labels
    alone, beside = (
        resample_metric(eer, labels, systems, *speakers, 20, seed=3)
        for systems in ([better], [scores, better])
    )
    assert alone[0] == beside[0][1:]
    np.testing.assert_array_equal(alone[1], beside[1][:, 1:])
