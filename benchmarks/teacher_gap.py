#!/usr/bin/env python3
"""What a network has of its teacher, on people it has heard and on others.

    python benchmarks/teacher_gap.py <folder> --teacher <npz> \
        --trainings <training> ...

 * as many speakers of a training as it held out, drawn once; all pairs of
   20 recordings of each, as recorded
 * EER in %, and the variance between speakers and within one, of embeddings
   of length 1: who is never heard lies closer together
 * the teacher stands beside, as it is and without the mean of the recordings
   that were trained on

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from speechbrain_moe.audio import read_audio
from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.training.data import read_table
from speechbrain_moe.training.teacher import read_teacher, teacher_rows
from speechbrain_moe.training.teacher_centre import centred

N_FILES, SEED, RATE = 20, 0, 16000
HEADER = "| speakers | system | EER % | between | within |"


class People(NamedTuple):
    """Speakers of one kind: files, and who speaks in each."""

    kind: str
    files: list
    speakers: np.ndarray


def draw_people(kind, table, folder, n_speakers):
    """Recordings of some speakers of a list."""
    rng = np.random.default_rng(SEED)
    names = sorted(table.spk_id.unique())
    drawn = {*rng.permutation(names)[:n_speakers].tolist()}
    rows = table[table.spk_id.isin(drawn)].groupby("spk_id").head(N_FILES)
    files = [str(folder / path) for path in rows.path]
    return People(kind, files, rows.spk_id.to_numpy())


def embed(encoder, files):
    """Embeddings of files, of length 1 [U, D]."""
    found = []
    for file in tqdm(files, unit="file", leave=False, disable=None):
        wav = read_audio(file, RATE)
        with torch.inference_mode():
            found.append(encoder.encode_batch(wav.unsqueeze(0)).flatten())
    return torch.stack(found).numpy()


def line(people, system, embeddings):
    """One line of the table."""
    first, second = np.triu_indices(len(embeddings), 1)
    same = people.speakers[first] == people.speakers[second]
    scores = (embeddings @ embeddings.T)[first, second]
    eer = equal_error_rate(same.astype(int), scores).eer
    members = [people.speakers == name for name in np.unique(people.speakers)]
    means = np.stack([embeddings[who].mean(0) for who in members])
    between = ((means - means.mean(0)) ** 2).sum(1).mean()
    within = np.mean([embeddings[who].var(0).sum() for who in members])
    cells = f"{eer:.2f} | {between:.3f} | {within:.3f}"
    return f"| {people.kind} | {system} | {cells} |"


def table(folder, npz, trainings):
    """Yield the lines of the table."""
    lists = [
        read_table(f"{trainings[0]}/save/{name}.csv")
        for name in ("train", "dev")
    ]
    n_speakers = lists[1].spk_id.nunique()
    kinds = [
        draw_people(kind, rows, folder, n_speakers)
        for kind, rows in zip(("heard", "never heard"), lists)
    ]
    teacher, heard = read_teacher(npz), [str(folder / p) for p in lists[0].path]
    both = [(heard, [*heard, *kinds[1].files])]
    teachers = {"teacher": teacher, "teacher, centred": centred(teacher, both)}
    yield HEADER
    yield "| --- | --- | --- | --- | --- |"
    for people in kinds:
        for name, one in teachers.items():
            rows = [*teacher_rows(one, people.files).values()]
            yield line(people, name, one.embeddings[rows])
        for training in trainings:
            encoder = load_encoder(training, allow_code=True)
            name = Path(training).parent.name + "/" + Path(training).name
            yield line(people, name, embed(encoder, people.files))


def main(args=None):
    """Print the table; 2 for bad input."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="of labelled speakers")
    parser.add_argument("--teacher", required=True, help="npz of teach.py")
    parser.add_argument("--trainings", nargs="+", required=True)
    given = parser.parse_args(args)
    torch.set_num_threads(1)
    try:
        for text in table(given.folder, given.teacher, given.trainings):
            print(text, flush=True)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
