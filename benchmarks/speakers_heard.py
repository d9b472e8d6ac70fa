#!/usr/bin/env python3
"""More speakers or more speech of each: what a small training gains by.

    python benchmarks/speakers_heard.py <speech pack> <work folder> \
        [--seeds 1 2 3] [--cells 32x20 64x10 128x5 128x20]

 * the dense baseline of the recipe, ecapa_small.yaml, taught by the pack's
   CAM++ embeddings; a cell is speakers x recordings of each
 * every cell has as many steps, but for what fills no batch, and the same
   schedule over them: its recordings, a whole part of the largest cell's,
   come again
 * a seed draws the weights, the crops, and whom and what of them is heard;
   the cells of a seed are nested: its 32 speakers are among its 128
 * the figure is the EER on the trials of 24 dev speakers, whom none has
   heard, by the averaged weights; no test list is read
 * started again it goes on; what is trained stays in the work folder

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, product
from pathlib import Path

import numpy as np
from short_trainings import RECIPE, train, with_interval
from tqdm import tqdm

from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.card_numbers import as_table
from speechbrain_moe.training.data import read_table

sys.path.insert(0, str(RECIPE))
from voxceleb_prepare import prepare_voxceleb  # noqa: E402

SEED = 1234  # of the recipe: who is held out
N_HELD = 2  # a training holds out two of its own, the fewest it can
CELLS = [(32, 20), (64, 10), (128, 5), (128, 20)]
# Epochs of the largest cell, and what the recipe counts in epochs
N_EPOCHS, MARGIN_EPOCHS = 12, (1, 7)


def draw(table, n_speakers, n_each, seed):
    """Recordings of a cell: some speakers, and some of each.

    Arguments
    ---------
    table : pandas.DataFrame
        ``path`` and ``spk_id`` of all that may be heard.
    n_speakers : int
        To train on; N_HELD more are drawn.
    n_each : int
        Recordings of each, or as many as there are.
    seed : int
        A larger cell of the same seed holds the smaller ones.

    Returns
    -------
    list of str
        Paths.

    Raises
    ------
    SystemExit
        If there are not as many speakers.
    """
    generator = np.random.default_rng(seed)
    shuffled = table.iloc[generator.permutation(len(table))]
    speakers = generator.permutation(sorted(table.spk_id.unique()))
    wanted = n_speakers + N_HELD
    if wanted > len(speakers):
        sys.exit(f"{wanted} speakers wanted, {len(speakers)} are there")
    by_speaker = shuffled.groupby("spk_id").path
    return [
        path
        for speaker in speakers[:wanted]
        for path in by_speaker.get_group(speaker)[:n_each]
    ]


def link_all(paths, source, folder):
    """Links to files of one folder, at the same places of another."""
    for path in paths:
        link = folder / path
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(source / path)


def keep_rows(teacher, table, out):
    """Write a teacher's rows of some recordings alone.

    The recipe refuses a teacher that has heard the trials' files.

    Arguments
    ---------
    teacher : Path
        npz with ``paths`` and ``embeddings``.
    table : pandas.DataFrame
        ``path`` of each recording, below a folder.
    out : Path
        npz to write.
    """
    with np.load(teacher) as known:
        paths, embeddings = known["paths"], known["embeddings"]
    wanted = {*table.path}
    kept = [path.split("/", 1)[-1] in wanted for path in paths]
    write_whole(
        out,
        lambda aside: np.savez(
            aside, paths=paths[kept], embeddings=embeddings[kept]
        ),
    )


def train_cell(pack, out, longest, how):
    """Train a cell from a seed; returns the EER on the dev trials."""
    (n_speakers, n_each), seed = how
    times = longest // (n_speakers * n_each)
    n_epochs = N_EPOCHS * times
    folder = out / f"{n_speakers}x{n_each}_{n_epochs}_{seed}"
    measured = folder / "dev_trials" / "metrics.json"
    if not measured.is_file():
        table = read_table(out / "lists" / "train.csv")
        paths = draw(table, n_speakers, n_each, seed)
        audio = out / f"audio_{folder.name}" / "dev"  # as the teacher has it
        link_all(paths, pack / "dev", audio)
        train(
            "ecapa_small.yaml",
            folder,
            data_folder=pack,
            train_folder=audio,
            trial_folder=pack / "dev",
            trial_list=out / "lists" / "dev_trials.txt",
            teacher_embeddings=out / "lists" / "teacher.npz",
            distill_weight=1,
            pairwise_weight=10,
            n_dev_speakers=N_HELD,
            n_epochs=n_epochs,
            margin_epochs=[epoch * times for epoch in MARGIN_EPOCHS],
            dev_interval=times,
            seed=seed,
        )
    return json.loads(measured.read_text(encoding="utf-8"))["eer"]


def table_of(found, seeds):
    """Rows of a table: EERs [seeds] of each cell, and their mean."""
    heads = ["speakers", "recordings of each"]
    rows = [[*heads, *(f"seed {seed}" for seed in seeds), "mean"]]
    for cell, eers in found.items():
        figures = [f"{eer:.2f}" for eer in [*eers, np.mean(eers)]]
        rows.append([*map(str, cell), *figures])
    return as_table(rows)


def differences(found):
    """Sentences on each cell less each one before it."""
    return "\n".join(
        f"{a[0]} x {a[1]} less {b[0]} x {b[1]}: "
        f"{with_interval(np.subtract(found[a], found[b]))}"
        for b, a in combinations(found, 2)
    )


def read_cell(text):
    """Speakers and recordings of each, of ``32x20``."""
    n_speakers, n_each = text.split("x")
    return int(n_speakers), int(n_each)


def main():
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--cells", type=read_cell, nargs="+", default=CELLS)
    parser.add_argument("--n_jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()
    pack, out = args.pack.resolve(), args.out.resolve()
    prepare_voxceleb(
        train_folder=str(pack / "dev"),
        save_folder=str(out / "lists"),
        metadata=str(pack / "meta" / "utterances.csv"),
        seed=SEED,
    )
    keep_rows(
        pack / "meta" / "teacher_campplus.npz",
        read_table(out / "lists" / "train.csv"),
        out / "lists" / "teacher.npz",
    )
    cells = args.cells
    longest = max(n * each for n, each in cells)
    # Seeds outermost: what is done early can be compared
    plan = [(cell, seed) for seed, cell in product(args.seeds, cells)]
    with ThreadPoolExecutor(args.n_jobs) as pool:
        eers = pool.map(lambda how: train_cell(pack, out, longest, how), plan)
        eers = list(tqdm(eers, total=len(plan), unit="training"))
    found = {}
    for (cell, _), eer in zip(plan, eers):
        found.setdefault(cell, []).append(eer)
    print(table_of(found, args.seeds), end="\n\n")
    print(differences(found))


if __name__ == "__main__":
    main()
