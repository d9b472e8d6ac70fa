"""A script in two processes on the CPU, which meet by a file."""

import os
import subprocess
import sys

import torch.distributed as dist

N_PROCESSES = 2


def run_ranks(script, folder, *given):
    """Run ``script <rank> <folder> <given>`` to the end, in each process."""
    processes = [
        subprocess.Popen(
            [sys.executable, script, str(rank), folder, *given],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(N_PROCESSES)
    ]
    try:
        said = [process.communicate(timeout=120)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], said


def meet(rank, folder):
    """Join the other process, as torchrun would have it."""
    os.environ.update(RANK=rank, LOCAL_RANK=rank)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder / 'meeting'}",
        rank=int(rank),
        world_size=N_PROCESSES,
    )
