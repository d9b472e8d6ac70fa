"""Error rates without each expert, alone, and across routes."""

import numpy as np
import pytest
from routing_arrays import all_trials, make_collected

from speechbrain_moe.report.routing_experts import (
    expert_errors,
    expert_similarity,
    mix,
    route_errors,
    unit,
    weights_without,
)
from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.trials import Trials, trial_scores

KINDS = [("top_k", 1), ("top_k", 2), ("soft", 1), ("uniform", 1)]


@pytest.mark.parametrize("always_on_weight", [0.0, 0.3])
@pytest.mark.parametrize("selection, top_k", KINDS)
def test_weights_without_an_expert_sum_to_one(
    selection, top_k, always_on_weight
):
    collected = make_collected(selection, top_k, 3, always_on_weight)
    for left_out in range(collected["raw"].shape[1]):
        weights = weights_without(collected, left_out)
        np.testing.assert_allclose(weights.sum(1), 1)
        assert not weights[:, left_out].any()


@pytest.mark.parametrize("selection, top_k", KINDS[:2])
def test_leaving_out_an_expert_not_chosen_changes_nothing(selection, top_k):
    collected = make_collected(selection, top_k)
    weights = collected["weights"]
    for left_out in range(3):
        others = weights[:, left_out] == 0
        np.testing.assert_allclose(
            weights_without(collected, left_out)[others], weights[others]
        )


def test_the_next_choice_follows_the_bias_and_weighs_by_probability():
    collected = {
        "gate_probs": np.array([[0.5, 0.2, 0.2, 0.1]]),
        "expert_bias": np.array([0.0, 0.0, 0.0, 0.5]),
        "weights": np.zeros((1, 4)),
        "selection": "top_k",
        "top_k": 2,
        "always_on_weight": 0.0,
    }
    weights = weights_without(collected, left_out=0)
    np.testing.assert_allclose(weights, [[0, 2 / 3, 0, 1 / 3]])


def test_a_probability_rounded_to_zero_divides():
    collected = make_collected("soft", n_experts=2)
    collected["gate_probs"][:] = [1.0, 0.0]
    weights = weights_without(collected, left_out=0)
    np.testing.assert_allclose(weights, [[0, 1]] * len(weights))


def test_without_the_always_on_expert_the_others_take_all():
    collected = make_collected(always_on_weight=0.4)
    weights = weights_without(collected, left_out=3)
    chosen = collected["weights"][:, :3] > 0
    np.testing.assert_allclose(weights[:, :3], chosen)


def test_mix_of_the_models_weights_is_its_embedding():
    collected = make_collected("soft", always_on_weight=0.2)
    np.testing.assert_allclose(
        unit(mix(collected["raw"], collected["weights"])),
        collected["embedding"],
    )


def test_similarity_is_the_mean_cosine():
    raw = make_collected()["raw"]
    units = raw / np.linalg.norm(raw, axis=2, keepdims=True)
    expected = np.mean([u @ u.T for u in units], axis=0)
    np.testing.assert_allclose(expert_similarity(raw), expected)


def test_errors_are_those_of_embeddings_rebuilt_by_hand():
    collected = make_collected()
    trials = all_trials(collected)
    errors = expert_errors(collected, trials, n_resamples=20, seed=0)
    paths = collected["paths"].tolist()

    def eer(embeddings):
        scores = trial_scores(embeddings, paths, trials)
        return equal_error_rate(trials.labels, scores).eer

    assert errors["whole"]["estimate"] == eer(collected["embedding"])
    assert errors["alone"]["2"]["estimate"] == eer(collected["raw"][:, 2])
    next_best = collected["gate_probs"].copy()
    next_best[:, 0] = -1
    rows = np.arange(len(paths)), next_best.argmax(1)
    by_hand = eer(collected["raw"][rows])
    assert errors["without"]["0"]["estimate"] == by_hand
    assert set(errors["without"]) == set(errors["alone"]) == {"0", "1", "2"}


def test_one_expert_can_not_be_left_out():
    collected = make_collected("uniform", n_experts=1)
    errors = expert_errors(collected, all_trials(collected), 10, seed=0)
    assert errors["without"] == {}
    whole, alone = errors["whole"], errors["alone"]["0"]
    assert whole["estimate"] == alone["estimate"]


def test_the_groups_errors_add_up_to_those_of_all_trials():
    collected = make_collected()
    trials = all_trials(collected)
    paths = collected["paths"].tolist()
    scores = trial_scores(collected["embedding"], paths, trials)
    routes = collected["weights"].argmax(1)
    found = route_errors(routes, scores, trials, paths, 20, seed=0)
    same, cross = found["same"], found["cross"]
    eer, threshold = equal_error_rate(trials.labels, scores)
    assert found["threshold"] == threshold
    n = same["n_targets"] + cross["n_targets"]
    assert n == trials.labels.sum()
    assert found["split_targets"] == pytest.approx(100 * cross["n_targets"] / n)
    missed = sum(g["n_targets"] * g["miss"]["estimate"] for g in (same, cross))
    assert missed / n == pytest.approx(
        100 * np.mean(scores[trials.labels == 1] < threshold)
    )


def test_hand_worked_groups():
    paths = ["a/s/1", "a/s/2", "b/s/1", "b/s/2"]
    trials = Trials(
        np.array([1, 1, 0, 0]),
        ["a/s/1", "b/s/1", "a/s/1", "a/s/2"],
        ["a/s/2", "b/s/2", "b/s/1", "b/s/2"],
    )
    routes = np.array([0, 0, 0, 1])
    scores = np.array([0.9, 0.1, 0.5, 0.05])
    found = route_errors(routes, scores, trials, paths, 10, seed=0)
    assert (found["split_targets"], found["split_nontargets"]) == (50, 50)
    assert found["same"]["miss"]["estimate"] == 0
    assert found["cross"]["miss"]["estimate"] == 100


def test_a_group_without_nontargets_has_no_rates():
    collected = make_collected()
    trials = all_trials(collected)
    paths = collected["paths"].tolist()
    scores = trial_scores(collected["embedding"], paths, trials)
    routes = np.array([int(path[2]) for path in paths])  # one per speaker
    found = route_errors(routes, scores, trials, paths, 10, seed=0)
    assert found["cross"]["n_targets"] == 0
    assert found["cross"]["eer"] is None
    assert found["same"]["miss"] is None
