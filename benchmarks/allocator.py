#!/usr/bin/env python3
"""What keep_freed_memory is worth: a training step with and without it.

    python benchmarks/allocator.py [--n_runs 5]

 * the setting holds for a process, so each measurement is a process
 * runs of both kinds take turns; medians and their ratio are printed as a
   table, with peak memory

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import torch

from speechbrain_moe.lobes.experts import ExpertBank
from speechbrain_moe.lobes.gate import GatingCNN
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA
from speechbrain_moe.training.memory import keep_freed_memory

WIDTHS = {40: 108, 128: 384, 512: 1536}  # channels: channels of the MFA
N_STEPS = 4


def measure(channels, keep):
    """Seconds of a training step, 48 x 2 s, and peak MB.

    A soft MoE of four experts, or one expert where C is 512.
    """
    if keep:
        keep_freed_memory()
    torch.manual_seed(0)
    expert = {"channels": [channels] * 4 + [WIDTHS[channels]]}
    n_experts = 1 if channels == 512 else 4
    model = MoEECAPA(
        GatingCNN(n_experts=n_experts),
        ExpertBank(n_experts, expert=expert),
        selection="soft",
    )
    feats = torch.randn(48, 202, 80)
    times = []
    for _ in range(N_STEPS):
        begin = time.perf_counter()
        model.zero_grad()
        model(feats).sum().backward()
        times.append(time.perf_counter() - begin)
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"step_s": min(times[1:]), "peak_mb": peak_kb / 1024}


def measure_apart(channels, keep):
    """The same, in a process of its own."""
    command = [sys.executable, __file__, "--one", str(channels), str(int(keep))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def row(channels, n_runs):
    """A line of the table: medians of both kinds and their ratio."""
    found = {False: [], True: []}
    for _ in range(n_runs):
        for keep, runs in found.items():
            runs.append(measure_apart(channels, keep))
    middle = {
        (keep, key): statistics.median(run[key] for run in runs)
        for keep, runs in found.items()
        for key in ("step_s", "peak_mb")
    }
    ratio = middle[False, "step_s"] / middle[True, "step_s"]
    memory = middle[True, "peak_mb"] / middle[False, "peak_mb"]
    return (
        f"| {'4 x ' * (channels != 512)}C={channels} "
        f"| {1000 * middle[False, 'step_s']:.0f} "
        f"| {1000 * middle[True, 'step_s']:.0f} "
        f"| {ratio:.2f} | {memory:.2f} |"
    )


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n_runs", type=int, default=5)
    parser.add_argument("--one", nargs=2, type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one[0], bool(given.one[1]))))
        return
    print("| model | stock, ms a step | kept, ms | times faster | memory |")
    print("| --- | --- | --- | --- | --- |")
    for channels in WIDTHS:
        print(row(channels, given.n_runs), flush=True)


if __name__ == "__main__":
    main()
