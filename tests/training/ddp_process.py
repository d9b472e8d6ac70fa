"""One process of test_ddp.py: python ddp_process.py RANK FOLDER.

Trains dense, then sparse, by plain DDP on batches of its own, and writes what
it ends with to FOLDER/<execution>_<rank>.pt.
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from tiny_brain import tiny_batch, tiny_brain
from two_ranks import N_PROCESSES, meet

N_STEPS, IDLE = 20, 3
BIAS_RATE = 0.001  # too little to bring the idle expert back


def train(execution, rank, folder):
    """20 steps of top-1 with an expert that nobody chooses."""
    brain = tiny_brain(
        run_opts={"distributed_backend": "gloo"},
        settings={"execution": execution},
        balance_weight=0.1,
        balance_bias_rate=BIAS_RATE,
    )
    with torch.no_grad():
        brain.encoder.gate.output.bias[IDLE] = -100
    before = {k: v.clone() for k, v in brain.encoder.named_parameters()}
    brain.init_optimizers()
    brain._wrap_distributed()
    chosen = []
    # What each forward chose, which two processes share at the end alone
    brain.on_fit_batch_end = lambda batch, outputs, loss, should_step: (
        chosen.append(outputs[1].expert_ids)
    )
    for step in range(N_STEPS):
        brain.fit_batch(tiny_batch(8, 20, seed=N_PROCESSES * step + rank))
    figures = brain.epoch_figures()
    # As a training that goes on in the middle of an epoch
    brain.epoch_log.save(file := Path(f"{folder}/{execution}.log"))
    dist.barrier()
    brain.epoch_log.load(file, end_of_epoch=False)
    return {
        "figures": figures,
        "resumed": brain.epoch_figures(),
        "wrapped_as": type(brain.modules.embedding_model).__name__,
        "searches": brain.modules.embedding_model.find_unused_parameters,
        "world_size": dist.get_world_size(),
        "before": before,
        "after": dict(brain.encoder.named_parameters()),
        "classifier": brain.modules.classifier.state_dict(),
        "expert_bias": brain.encoder.expert_bias,
        "window": brain.hparams.load_window.state_dict(),
        "chosen": torch.stack(chosen),
    }


def main(rank, folder):
    meet(rank, folder)
    for execution in ("dense", "sparse"):
        torch.save(
            train(execution, int(rank), folder),
            folder / f"{execution}_{rank}.pt",
        )
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
