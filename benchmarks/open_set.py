#!/usr/bin/env python3
"""Strangers taken for somebody enrolled, and enrolled ones found.

    python benchmarks/open_set.py <package> <speech pack>

 * of the test speakers some are enrolled, drawn anew 40 times, all others
   are strangers; each speaker's later recordings are identified
 * with the threshold as for one comparison, and as ``identify`` raises it
   for the number enrolled
 * embeddings are computed once

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np
from tqdm import tqdm

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.file_lists import files_below
from speechbrain_moe.inference.identification import raise_threshold
from speechbrain_moe.inference.shipped import open_recognition

N_FILES, N_DRAWS, SIZES, N_ENROLS = 8, 40, (5, 15, 25), (1, 3)
FIRST_TEST = max(N_ENROLS)


def embed_speakers(recognition, folder):
    """Embeddings [speakers, N_FILES, D] of each speaker's first files."""
    found = []
    for speaker in tqdm(sorted(Path(folder).iterdir()), disable=None):
        files = files_below(speaker)[:N_FILES]
        found.append(recognition.encode_files(files))
    return np.stack(found)


def shares(embeddings, n_enrolled, n_files, threshold):
    """Share of strangers accepted, of enrolled named right, and wrong."""
    rng = np.random.default_rng(0)
    strangers, right, wrong = [], [], []
    means = embeddings[:, :n_files].mean(1)  # as mean_embedding
    tests = embeddings[:, FIRST_TEST:]
    for _ in range(N_DRAWS):
        enrolled = rng.choice(len(embeddings), n_enrolled, replace=False)
        scores = tests @ means[enrolled].T  # speakers, files, enrolled
        accepted = scores.max(-1) >= threshold
        named = enrolled[scores.argmax(-1)]
        same = named == np.arange(len(embeddings))[:, np.newaxis]
        known = np.isin(np.arange(len(embeddings)), enrolled)
        strangers.append(accepted[~known].mean())
        right.append((accepted & same)[known].mean())
        wrong.append((accepted & ~same)[known].mean())
    return [100 * np.mean(share) for share in (strangers, right, wrong)]


def table(embeddings, learnt, n_enrolled, n_files):
    """Yield the lines of both thresholds."""
    for name, count in (("as for one", 1), ("raised", n_enrolled)):
        cosine, reason = raise_threshold("eer", learnt, count)
        if reason:
            raise InputError(reason)
        found = shares(embeddings, n_enrolled, n_files, cosine)
        row = " | ".join(f"{share:.1f}" for share in found)
        yield f"| {n_enrolled} | {n_files} | {name} | {cosine:.3f} | {row} |"


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package")
    parser.add_argument("speech_pack")
    given = parser.parse_args()
    recognition = open_recognition(given.package)
    embeddings = embed_speakers(recognition, Path(given.speech_pack) / "test")
    print(
        "| enrolled | files each | threshold | cosine | strangers accepted, % "
        "| named right, % | named wrong, % |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for n_files, n in product(N_ENROLS, SIZES):
        print("\n".join(table(embeddings, recognition.learnt, n, n_files)))


if __name__ == "__main__":
    main()
