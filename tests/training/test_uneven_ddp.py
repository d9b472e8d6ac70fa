"""Two processes, gloo, CPU: one meets a loss that is not finite."""

from pathlib import Path

import pytest
import torch
from two_ranks import N_PROCESSES, run_ranks
from uneven_process import CASES, N_ROWS

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("uneven_process.py")


@pytest.fixture
def ends(case, tmp_path):
    """What each process ended with."""
    run_ranks(SCRIPT, tmp_path, case)
    return [torch.load(tmp_path / f"{i}.pt") for i in range(N_PROCESSES)]


@pytest.mark.parametrize("case", CASES)
def test_a_bad_step_of_one_process_is_no_step_in_any(ends, case):
    n_steps, bad_steps = CASES[case]
    n_taken = n_steps - len(bad_steps)
    for end in ends:
        assert end["window"]["n_seen"] == n_taken * N_PROCESSES * N_ROWS
        assert torch.equal(end["window"]["load"], ends[0]["window"]["load"])
        assert torch.equal(end["expert_bias"], ends[0]["expert_bias"])
    assert end["expert_bias"].any() == (n_taken > 0)


@pytest.mark.parametrize("case", ["from_the_start"])
def test_an_epoch_has_figures_though_one_process_counted_no_batch(ends, case):
    n_bad = len(CASES[case][1])
    for end in ends:
        assert end["figures"] == ends[0]["figures"]
        assert end["figures"]["n_skipped_steps"] == n_bad * N_PROCESSES
        assert end["figures"]["speaker_loss"] > 0
        loads = [end["figures"][f"load_{i}"] for i in range(4)]
        assert sum(loads) == pytest.approx(1)
