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
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
from short_trainings import train, with_interval
from tqdm import tqdm

from speechbrain_moe.inference.card_numbers import as_table
from speechbrain_moe.inference.experiment import list_checkpoints
from speechbrain_moe.training.optimizers import OPTIMIZERS


def averaged_eer(folder):
    """Dev EER in % of a finished training's average; None if unfinished."""
    for one in list_checkpoints(folder / "save"):
        if one.meta.get("n_averaged"):
            return one.meta["dev_eer"]
    return None


def train_by(pack, out, n_epochs, how):
    """Train by an optimizer, at a rate, from a seed; returns the dev EER."""
    name, lr, seed = how
    folder = out / f"{name}_{lr:g}_{n_epochs}_{seed}"
    eer = averaged_eer(folder)
    if eer is None:
        train(
            "ecapa_small.yaml",
            folder,
            data_folder=pack,
            trial_list="null",
            metadata=pack / "meta" / "utterances.csv",
            optimizer_name=name,
            lr=f"{lr:g}",
            n_epochs=n_epochs,
            seed=seed,
        )
        eer = averaged_eer(folder)
    return eer


def table(found, lrs, seeds):
    """Rows of a table, by optimizer and rate; EERs [seeds] of each."""
    rows = [["optimizer", "lr", *(f"seed {seed}" for seed in seeds), "mean"]]
    for name, lr in product(OPTIMIZERS, lrs):
        eers = found[name, lr]
        figures = [f"{eer:.2f}" for eer in [*eers, np.mean(eers)]]
        rows.append([name, f"{lr:g}", *figures])
    return as_table(rows)


def difference(found, lrs):
    """Sentence on muon less adamw, each at its best rate."""
    best = {
        name: min(lrs, key=lambda lr, name=name: np.mean(found[name, lr]))
        for name in OPTIMIZERS
    }
    less = np.subtract(*(found[n, best[n]] for n in ("muon", "adamw")))
    names = f"muon ({best['muon']:g}) less adamw ({best['adamw']:g})"
    return f"{names}: {with_interval(less)}"


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
        eers = pool.map(
            lambda how: train_by(pack, out, args.n_epochs, how), plan
        )
        eers = list(tqdm(eers, total=len(plan), unit="training"))
    found = {}
    for (name, lr, _), eer in zip(plan, eers):
        found.setdefault((name, lr), []).append(eer)
    print(table(found, args.lrs, args.seeds), end="\n\n")
    print(difference(found, args.lrs))


if __name__ == "__main__":
    main()
