"""Loads, entropies, margins and the surest files of a gate."""

import numpy as np
import pandas as pd
import pytest
from routing_arrays import make_collected

from speechbrain_moe.report.routing_gate import (
    examples,
    load_facts,
    margin_facts,
    routes_of,
)


def test_a_route_is_the_expert_of_the_largest_weight():
    collected = make_collected("soft")
    expected = collected["gate_probs"].argmax(1)
    np.testing.assert_array_equal(routes_of(collected), expected)


def test_the_always_on_expert_is_no_route():
    collected = make_collected(always_on_weight=0.9)
    assert set(routes_of(collected)) == {0, 1, 2}


@pytest.mark.parametrize("selection, n_experts", [("uniform", 3), ("soft", 1)])
def test_there_may_be_nothing_to_route(selection, n_experts):
    assert routes_of(make_collected(selection, n_experts=n_experts)) is None


def test_collapse_has_low_entropies_and_dead_experts():
    probs = np.tile([0.98, 0.01, 0.01], (10, 1))
    facts = load_facts(np.zeros(10, dtype=int), probs)
    assert facts["load"] == [1, 0, 0]
    assert facts["dead"] == [1, 2]
    assert facts["load_entropy"] == 0
    assert facts["route_entropy_share"] < 0.15


def test_an_undecided_gate_has_high_entropies():
    facts = load_facts(np.arange(8) % 4, np.full((8, 4), 0.25))
    assert facts["load_entropy"] == pytest.approx(np.log(4))
    assert facts["route_entropy_share"] == pytest.approx(1)
    assert facts["dead"] == []


def test_an_expert_is_dead_below_one_percent_and_not_at_it():
    at = load_facts(np.repeat([0, 1], [99, 1]), np.full((100, 2), 0.5))
    below = load_facts(np.repeat([0, 1], [199, 1]), np.full((200, 2), 0.5))
    assert (at["dead"], below["dead"]) == ([], [1])


def test_importance_is_the_mean_probability():
    probs = np.array([[0.9, 0.1], [0.6, 0.4]])
    assert load_facts(np.array([0, 0]), probs)["importance"] == [0.75, 0.25]


def test_margins_are_best_less_second():
    facts = margin_facts(np.array([[0.1, 0.3, 0.6], [0.35, 0.35, 0.3]]))
    assert facts["mean"] == pytest.approx(0.15)
    assert facts["quartiles"][1] == pytest.approx(0.15)
    assert facts["below_0_1"] == 0.5


def test_examples_are_an_experts_own_files_surest_first():
    collected = make_collected("soft")
    routes = routes_of(collected)
    values = pd.Series(["f"] * (len(routes) - 1) + [None])
    rows = examples(collected, routes, {"gender": values})[0]
    taken = collected["gate_probs"][routes == 0, 0]
    probs = [row["gate_prob"] for row in rows]
    assert probs == sorted(taken, reverse=True)[:5]
    assert rows[0]["attributes"] == {"gender": "f"}


def test_an_expert_that_nobody_takes_has_no_examples():
    collected = make_collected()
    routes = np.zeros(len(collected["paths"]), dtype=int)
    assert [len(rows) for rows in examples(collected, routes, {})] == [5, 0, 0]
