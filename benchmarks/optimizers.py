#!/usr/bin/env python3
"""AdamW and Muon, side by side: the same trainings by each.

    python benchmarks/optimizers.py <speech pack> <work folder> \
        [--seeds 1 2 3] [--lrs 0.001] [--n_epochs 12]

 * the dense baseline of the recipe, ecapa_small.yaml, and nothing changed in
   it but optimizer, learning rate, seed and epochs
 * a seed draws weights, crops and dev speakers, the same for both: what is
   compared is the difference seed by seed
 * the figure is the EER of the averaged weights on the dev trials; no test
   list is read
 * started again it goes on; what is trained stays in the work folder

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
from scipy import stats
from tqdm import tqdm

from speechbrain_moe.inference.experiment import list_checkpoints
from speechbrain_moe.training.optimizers import OPTIMIZERS

RECIPE = Path(__file__).parents[1] / "recipes" / "VoxCeleb" / "moe_ecapa"


def averaged_eer(folder):
    """Dev EER in % of a finished training's average; None if unfinished."""
    for one in list_checkpoints(folder / "save"):
        if one.meta.get("n_averaged"):
            return one.meta["dev_eer"]
    return None


def train(pack, out, n_epochs, how):
    """Train by an optimizer, at a rate, from a seed; returns the dev EER."""
    name, lr, seed = how
    folder = out / f"{name}_{lr:g}_{n_epochs}_{seed}"
    eer = averaged_eer(folder)
    if eer is None:
        command = [sys.executable, "train.py", "hparams/ecapa_small.yaml"]
        command += ["--data_folder", pack, "--trial_list", "null"]
        command += ["--metadata", pack / "meta" / "utterances.csv"]
        command += ["--optimizer_name", name, "--lr", f"{lr:g}"]
        command += ["--n_epochs", str(n_epochs), "--seed", str(seed)]
        command += ["--output_folder", folder]
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "said.txt", "a", encoding="utf-8") as said:
            subprocess.run(
                [str(word) for word in command],
                cwd=RECIPE,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                stdout=said,
                stderr=said,
                check=True,
            )
        eer = averaged_eer(folder)
    return eer


def table(found, lrs, seeds):
    """Rows of a table, by optimizer and rate; EERs [seeds] of each."""
    heads = ["optimizer", "lr", *(f"seed {seed}" for seed in seeds), "mean"]
    rows = [heads, ["---"] * len(heads)]
    for name, lr in product(OPTIMIZERS, lrs):
        eers = found[name, lr]
        figures = [f"{eer:.2f}" for eer in [*eers, np.mean(eers)]]
        rows.append([name, f"{lr:g}", *figures])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def difference(found, lrs):
    """Sentence on muon less adamw, each at its best rate."""
    best = {
        name: min(lrs, key=lambda lr, name=name: np.mean(found[name, lr]))
        for name in OPTIMIZERS
    }
    less = np.subtract(*(found[n, best[n]] for n in ("muon", "adamw")))
    text = f"muon ({best['muon']:g}) less adamw ({best['adamw']:g}): "
    text += f"{less.mean():+.2f} % of dev EER"
    if len(less) > 1:
        sure = stats.t.interval(
            0.95, len(less) - 1, less.mean(), stats.sem(less)
        )
        text += f" [{sure[0]:+.2f}, {sure[1]:+.2f}], {len(less)} seeds"
    return text


def main():
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--lrs", type=float, nargs="+", default=[0.001])
    parser.add_argument("--n_epochs", type=int, default=12)
    parser.add_argument("--n_jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    pack, out = args.pack.resolve(), args.out.resolve()
    # Seeds outermost: what is done early can be compared
    plan = [
        (name, lr, seed)
        for seed, lr, name in product(args.seeds, args.lrs, OPTIMIZERS)
    ]
    with ThreadPoolExecutor(args.n_jobs) as pool:
        eers = pool.map(lambda how: train(pack, out, args.n_epochs, how), plan)
        eers = list(tqdm(eers, total=len(plan), unit="training"))
    found = {}
    for (name, lr, _), eer in zip(plan, eers):
        found.setdefault((name, lr), []).append(eer)
    print(table(found, args.lrs, args.seeds), end="\n\n")
    print(difference(found, args.lrs))


if __name__ == "__main__":
    main()
