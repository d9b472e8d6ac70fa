#!/usr/bin/env python3
"""Who spoke when, against the truth of made-up conversations.

    python benchmarks/diarization.py <folder> --speakers <csv> [--model <name>]

 * conversations of 1 to 5 speakers (see conversations.py), nearly clean and
   with noise 15 dB below the speech; give speakers held out of training
 * average linkage, as the package does it, beside SpeechBrain's spectral
   clustering of the same windows, each told the number of speakers or not
 * the second table has the error over the distance to cut at: how the
   package's default is chosen
 * the rate leaves out 0.25 s around the reference's edges, as is custom; the
   columns after it leave out nothing

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import itertools
import tempfile
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import soundfile
from conversations import RATE_HZ, make_conversation
from tqdm import tqdm

from speechbrain_moe.inference import diarization
from speechbrain_moe.inference.shipped import open_recognition
from speechbrain_moe.inference.speaker_clusters import MAX_DISTANCE
from speechbrain_moe.inference.speech_regions import find_speech
from speechbrain_moe.scoring.diarization_error import diarization_error

N_SPEAKERS = (1, 2, 3, 4, 5)
SNRS_DB = {"clean": 40, "noisy": 15}
COLLAR_S = 0.25
DISTANCES = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
P_VAL = 0.3  # SpeechBrain's default


class Embedded(NamedTuple):
    """A conversation's truth, and its windows' embeddings."""

    sound: str
    n_speakers: int
    turns: list
    regions: list
    spans: list
    embeddings: np.ndarray


def embed_conversations(recognition, files, n_repeats, duration_s):
    """Conversations of all numbers of speakers, clean and noisy."""
    kinds = list(itertools.product(range(n_repeats), N_SPEAKERS, SNRS_DB))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "conversation.wav"
        for seed, (_, n_speakers, sound) in enumerate(tqdm(kinds)):
            rng = np.random.default_rng(seed)
            wav, turns = make_conversation(
                files, rng, n_speakers, duration_s, SNRS_DB[sound]
            )
            soundfile.write(path, wav, RATE_HZ)
            regions = find_speech(path)
            spans = [s for r in regions for s in diarization.windows_of(r)]
            rows = diarization.embed_spans(recognition, path, spans)
            yield Embedded(sound, n_speakers, turns, regions, spans, rows)


def by_linkage(one, n_speakers, distance=MAX_DISTANCE):
    """Speakers' mean embeddings, as the package finds them."""
    return diarization.find_centres(
        one.spans, one.embeddings, n_speakers, distance
    )


def by_spectrum(one, n_speakers):
    """The same by SpeechBrain's spectral clustering."""
    from speechbrain.integrations.alignment.diarization import Spec_Clust_unorm

    np.random.seed(0)  # noqa: NPY002 (what its k-means draws from)
    clusters = Spec_Clust_unorm(min_num_spkrs=2, max_num_spkrs=10)
    clusters.do_spec_clust(one.embeddings, n_speakers, P_VAL)
    means = [
        one.embeddings[clusters.labels_ == label].mean(0)
        for label in np.unique(clusters.labels_)
    ]
    return np.stack([mean / np.linalg.norm(mean) for mean in means])


def measure(conversations, find, told, sound):
    """Row of the table: errors in % of speech, and the number found."""
    errors, strict, found = [], [], []
    chosen = [one for one in conversations if one.sound == sound]
    for one in chosen:
        centres = find(one, one.n_speakers if told else None)
        answer = diarization.tell_segments(
            one.regions, one.spans, one.embeddings @ centres.T
        )
        errors.append(diarization_error(one.turns, answer, COLLAR_S))
        strict.append(diarization_error(one.turns, answer))
        found.append(len(centres) - one.n_speakers)
    *wrong_s, speech_s = np.sum(errors, axis=0)
    strict_s = np.sum(strict, axis=0)
    return (
        100 * np.sum(wrong_s) / speech_s,
        *(100 * strict_s[:3] / strict_s[3]),
        np.mean(np.equal(found, 0)),
        np.mean(found),
    )


def print_table(conversations, rows):
    """A line for each sound and row: name, whether told, how to find."""
    print(
        "| sound | clustering | number | DER % | missed | false alarm "
        "| confused | number right | found - true |"
    )
    print("| --- " * 9 + "|")
    for sound, (name, told, find) in itertools.product(SNRS_DB, rows):
        *percent, right, bias = measure(conversations, find, told, sound)
        cells = " | ".join(f"{value:.1f}" for value in percent)
        number = "told" if told else "found"
        print(
            f"| {sound} | {name} | {number} | {cells} | {right:.0%} "
            f"| {bias:+.2f} |"
        )


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="what the csv's paths are below")
    parser.add_argument("--speakers", required=True, help="path,spk_id csv")
    parser.add_argument("--model", help="by default what ships")
    parser.add_argument("--n_repeats", type=int, default=6)
    parser.add_argument("--duration_s", type=float, default=90)
    given = parser.parse_args()
    listed = pd.read_csv(given.speakers, dtype=str)
    paths = given.folder.rstrip("/") + "/" + listed.path
    files = paths.groupby(listed.spk_id).agg(list).to_dict()
    recognition = open_recognition(given.model)
    conversations = list(
        embed_conversations(
            recognition, files, given.n_repeats, given.duration_s
        )
    )
    both = {
        "average linkage": by_linkage,
        "SpeechBrain, spectral": by_spectrum,
    }
    print_table(
        conversations,
        [(name, t, find) for t in (True, False) for name, find in both.items()],
    )
    print()
    print_table(
        conversations,
        [
            (f"cut at {d:g}", False, partial(by_linkage, distance=d))
            for d in DISTANCES
        ],
    )


if __name__ == "__main__":
    main()
