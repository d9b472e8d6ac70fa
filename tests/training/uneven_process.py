"""One process of test_uneven_ddp.py: python uneven_process.py RANK FOLDER CASE.

Only process BAD meets a loss that is not finite. What each ends with is in
FOLDER/<rank>.pt.
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from tiny_brain import tiny_batch, tiny_brain
from two_ranks import N_PROCESSES, meet

N_ROWS, BAD = 8, 0
# Steps taken, and those that process BAD cannot take
CASES = {"midway": (6, [3]), "from_the_start": (2, [0, 1])}


def train(case, rank):
    """A few steps, some of them bad in one process."""
    n_steps, bad_steps = CASES[case]
    brain = tiny_brain(
        run_opts={"distributed_backend": "gloo", "skip_nonfinite_grads": True},
        balance_weight=0.1,
        balance_bias_rate=0.001,
    )
    brain.init_optimizers()
    brain._wrap_distributed()
    for step in range(n_steps):
        batch = tiny_batch(N_ROWS, 20, seed=N_PROCESSES * step + rank)
        if rank == BAD and step in bad_steps:
            batch.feats[:] = float("nan")
        brain.fit_batch(batch)
    return {
        "window": brain.hparams.load_window.state_dict(),
        "expert_bias": brain.encoder.expert_bias,
        "figures": brain.epoch_figures(),
    }


def main(rank, folder, case):
    meet(rank, folder)
    torch.save(train(case, int(rank)), folder / f"{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
