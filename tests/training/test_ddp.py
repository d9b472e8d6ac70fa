"""Two processes, gloo, CPU: plain DDP, top-1 with an idle expert."""

from pathlib import Path

import pytest
import torch
from ddp_process import BIAS_RATE, IDLE, N_STEPS
from two_ranks import N_PROCESSES, run_ranks

from speechbrain_moe.training.balance import LoadWindow

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("ddp_process.py")
executions = pytest.mark.parametrize("execution", ["dense", "sparse"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What each process ended with, by execution."""
    folder = tmp_path_factory.mktemp("ddp")
    run_ranks(SCRIPT, folder)
    return {
        execution: [
            torch.load(folder / f"{execution}_{rank}.pt")
            for rank in range(N_PROCESSES)
        ]
        for execution in ("dense", "sparse")
    }


@executions
def test_two_processes_train_without_a_search_for_unused_weights(
    trained, execution
):
    for end in trained[execution]:
        assert end["world_size"] == 2 and end["chosen"].shape[0] == N_STEPS
        assert end["wrapped_as"] == "DistributedDataParallel"
        assert not end["searches"]
        assert not (end["chosen"] == IDLE).any()


@executions
def test_weights_move_and_stay_the_same_in_all_processes(trained, execution):
    one, other = trained[execution]
    for key, weight in one["after"].items():
        assert torch.equal(weight, other["after"][key]), key
        idle = key.startswith(f"experts.experts.{IDLE}.")
        assert torch.equal(weight, one["before"][key]) == idle, key
    for key, weight in one["classifier"].items():
        assert torch.equal(weight, other["classifier"][key])


@executions
def test_processes_see_different_utterances(trained, execution):
    one, other = trained[execution]
    assert not torch.equal(one["chosen"], other["chosen"])


@executions
def test_load_is_that_of_one_process_that_sees_all_batches(trained, execution):
    one, other = (end["chosen"] for end in trained[execution])
    window = LoadWindow(4, window=200)
    for ids in torch.cat([one, other], dim=1):
        load = window.update(ids, torch.ones(ids.shape), list(range(len(ids))))
    for end in trained[execution]:
        assert torch.allclose(end["window"]["load"], load, atol=1e-6)
        assert end["window"]["n_seen"] == window.n_seen == 200


@executions
def test_bias_moves_by_the_load_of_all_processes(trained, execution):
    one, other = (end["expert_bias"] for end in trained[execution])
    assert torch.equal(one, other)
    assert one[IDLE].item() == pytest.approx(N_STEPS * BIAS_RATE)
    assert one.min() < 0


@executions
def test_figures_are_those_of_all_processes_and_outlive_a_restart(
    trained, execution
):
    one, other = trained[execution]
    chosen = torch.cat([one["chosen"], other["chosen"]]).flatten()
    loads = torch.bincount(chosen, minlength=4) / len(chosen)
    for end in trained[execution]:
        found = [end["figures"][f"load_{i}"] for i in range(4)]
        assert found == pytest.approx(loads.tolist())
        assert end["figures"] == pytest.approx(one["figures"])
        assert end["resumed"] == pytest.approx(one["figures"])
