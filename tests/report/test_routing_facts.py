"""The routing report: arrays checked, facts plain, trials limited."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
from routing_arrays import N_SPEAKERS, all_trials, make_collected

from speechbrain_moe.errors import InputError, MissingPackageError
from speechbrain_moe.report.routing_facts import (
    check_plots,
    read_routing,
    routing_facts,
    trials_within,
)
from speechbrain_moe.report.routing_map import embedding_map

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
ROUTED = ("load", "margin", "attributes", "routes", "examples")


@pytest.fixture(scope="module")
def facts():
    """Of a gate that sends odd speakers to expert 0, as the table says."""
    table = pd.DataFrame(
        {
            "spk_id": [f"id{i}" for i in range(N_SPEAKERS)],
            "gender": ["f", "m"] * (N_SPEAKERS // 2),
        }
    )
    collected = make_collected()
    return routing_facts(collected, all_trials(collected), table, (), 0, 200)


@pytest.fixture
def save(tmp_path):
    def write(collected):
        np.savez(tmp_path / "routing.npz", **collected)
        return tmp_path / "routing.npz"

    return write


def test_facts_are_plain_values(facts):
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts


def test_an_attribute_that_the_gate_hears_is_found(facts):
    assert facts["attributes"]["gender"]["p_value"] < 0.05
    assert facts["attributes"]["gender"]["permuted"] == "speakers"
    assert facts["attributes"]["duration"]["permuted"] == "within speakers"


def test_both_scorings_are_of_the_same_trials(facts):
    """Equal weights show which trials are hard without any routing."""
    routed, even = facts["routes"]["routed"], facts["routes"]["even"]
    for group in ("same", "cross"):
        for count in ("n_targets", "n_nontargets"):
            assert routed[group][count] == even[group][count]
    assert routed["threshold"] != even["threshold"]


def test_the_map_has_a_point_for_each_file(facts):
    n_files = facts["about"]["n_files"]
    assert np.shape(facts["map"]["points"]) == (n_files, 2)
    assert len(facts["map"]["routes"]) == n_files


@pytest.mark.parametrize("selection, n_experts", [("uniform", 3), ("top_k", 1)])
def test_models_that_do_not_route_have_no_routes(selection, n_experts):
    collected = make_collected(selection, n_experts=n_experts)
    trials = all_trials(collected)
    facts = routing_facts(collected, trials, n_resamples=10)
    assert all(facts[key] is None for key in ROUTED)
    assert len(facts["errors"]["alone"]) == n_experts


def test_same_seed_same_facts():
    collected = make_collected()
    trials = all_trials(collected)
    given = (collected, trials, None, (), 3, 10)
    assert routing_facts(*given) == routing_facts(*given)


def test_arrays_are_read_back(save):
    collected = make_collected("soft", always_on_weight=0.2)
    read = read_routing(save(collected))
    assert read["paths"].tolist() == collected["paths"].tolist()
    np.testing.assert_array_equal(read["raw"], collected["raw"])


def test_embeddings_that_are_not_the_sum_of_experts_are_refused(save):
    collected = make_collected()
    collected["embedding"][5] *= -1
    with pytest.raises(InputError, match=r"id0/s/5.wav is not the weighted"):
        read_routing(save(collected))


def test_a_missing_array_is_named(save):
    collected = make_collected()
    del collected["raw"]
    with pytest.raises(InputError, match="lacks raw"):
        read_routing(save(collected))


def test_missing_and_damaged_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_routing(tmp_path / "routing.npz")
    (tmp_path / "routing.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(InputError, match="not a whole .npz"):
        read_routing(tmp_path / "routing.npz")


@pytest.mark.parametrize("max_files", [2, 10, 60, 1000])
def test_limited_trials_stay_within_their_files(max_files):
    whole = all_trials(make_collected())
    trials = trials_within(whole, max_files)
    files = {*trials.enrol, *trials.test}
    assert len(files) == min(max_files, 60)
    n = len(files)
    assert len(trials.labels) == n * (n - 1) / 2  # every pair was listed


def test_fewer_than_two_files_are_refused():
    with pytest.raises(InputError, match="max_files is 1"):
        trials_within(all_trials(make_collected()), 1)


def test_few_files_have_no_map():
    assert embedding_map(np.eye(7)) is None


@pytest.mark.parametrize("module", ["matplotlib.figure", "sklearn.manifold"])
def test_a_missing_package_is_said_before_anything_runs(module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingPackageError, match=r"speechbrain-moe\[plots\]"):
        check_plots()
