#!/usr/bin/env python3
"""Features, folds and trials of the experiment, made once for all systems.

    python benchmarks/claim_data.py <speech pack> <work folder>

 * every system trains on the same stored log-mel features: each utterance
   clean, augmented, and at two changed speeds
 * the noisy copy of the test side is fixed: 0, 5 and 10 dB of babble or
   noise, or one room, by turns
 * babble is made of the unlabelled speech, one half for training and the
   other for the noisy copy, so that no speaker of a fold is heard in it
 * runs again only what is not there

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from speechbrain.augment.time_domain import AddNoise, AddReverb
from tqdm import tqdm

from speechbrain_moe.audio import read_audio
from speechbrain_moe.files import write_whole
from speechbrain_moe.lobes.features import PAST_END_DB, MarkedFbank
from speechbrain_moe.training.augment import PerUtterance
from speechbrain_moe.training.crops import change_speed
from speechbrain_moe.training.noises import prepare_noises
from speechbrain_moe.training.rooms import prepare_rooms

RATE = 16000
N_MELS = 80
MIN_DURATION_S = 1.67  # so that a crop of 1.5 s fits at every speed
# (speed, augmented) of the copies of a labelled utterance
COPIES = [(1.0, False), *[(1.0, True)] * 3]
COPIES += [(s, augmented) for s in (0.9, 1.1) for augmented in (False, True)]
UNLABELLED_COPIES = [(1.0, False), (1.0, True), (1.0, True)]
CONDITIONS = [f"{k}_{snr}" for k in ("babble", "noise") for snr in (0, 5, 10)]
CONDITIONS.append("room")


def read_parts(pack):
    """Labelled and unlabelled utterances of the pack, as tables."""
    labelled = pd.read_csv(pack / "meta" / "utterances.csv")
    labelled["age_class"] = np.where(labelled.age < 18, "child", "adult")
    unlabelled = pd.read_csv(pack / "meta" / "unlabelled.csv")
    long_enough = unlabelled.duration_s >= MIN_DURATION_S
    return labelled, unlabelled[long_enough].reset_index(drop=True)


def sounds(work, name, babble_paths, seed, n_noises=120, n_rooms=60):
    """Lists of noises and rooms for one side of the experiment."""
    folder = work / name
    noise_csv, rir_csv = folder / "noise.csv", folder / "rir.csv"
    prepare_noises(
        noise_csv, folder / "noise", babble_paths, n_noises=n_noises, seed=seed
    )
    prepare_rooms(rir_csv, folder / "rir", n_rooms=n_rooms, seed=seed)
    return str(noise_csv), str(rir_csv)


def training_augmentation(noise_csv, rir_csv):
    """One augmented copy: a room for half of them, noise for most."""
    room = PerUtterance(AddReverb(csv_file=rir_csv), prob=0.5)
    noise = PerUtterance(
        AddNoise(csv_file=noise_csv, snr_low=0, snr_high=15), prob=0.8
    )
    ones = torch.ones(1)
    return lambda wav: noise(room(wav[None], ones), ones)[0]


def noisy_copies(noise_csv, rir_csv, babble_csv):
    """For each condition of the noisy copy, what is done to a waveform."""
    ones, made = torch.ones(1), {}
    for condition in CONDITIONS[:-1]:
        kind, snr = condition.split("_")
        csv = babble_csv if kind == "babble" else noise_csv
        made[condition] = AddNoise(
            csv_file=csv, snr_low=int(snr), snr_high=int(snr)
        )
    copies = {k: lambda w, f=f: f(w[None], ones)[0] for k, f in made.items()}
    room = AddReverb(csv_file=rir_csv)
    copies["room"] = lambda wav: room(wav[None])[0]
    return copies


def split_kinds(noise_csv, work):
    """The generated noises as two lists: babble, and all others."""
    table = pd.read_csv(noise_csv)
    is_babble = table.wav.str.contains("babble")  # in the file's name
    paths = []
    for name, rows in (("babble", is_babble), ("other", ~is_babble)):
        path = work / f"noisy_{name}.csv"
        table[rows].to_csv(path, index=False)
        paths.append(str(path))
    return paths


class FeatureWriter:
    """Log-mel features one after the other in one file, half precision."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.file = open(folder / "feats.partial", "wb")
        self.compute = MarkedFbank(sample_rate=RATE, n_mels=N_MELS)
        self.rows, self.n_frames = [], 0

    def add(self, wav, **row):
        """Append the features of a waveform."""
        feats = self.compute(wav[None])[0]
        feats = feats[feats[:, 0] != PAST_END_DB].half().numpy()
        feats.tofile(self.file)
        self.rows.append({**row, "start": self.n_frames, "n": len(feats)})
        self.n_frames += len(feats)

    def close(self):
        """Put both files in place, the index last."""
        self.file.close()
        (self.folder / "feats.partial").replace(self.folder / "feats.f16")
        table = pd.DataFrame(self.rows)
        write_whole(
            self.folder / "index.csv", lambda p: table.to_csv(p, index=False)
        )


def load_features(folder):
    """Features [all frames, 80], mapped, and their index."""
    feats = np.memmap(folder / "feats.f16", np.float16, "r")
    return feats.reshape(-1, N_MELS), pd.read_csv(folder / "index.csv")


def write_training(pack, work, labelled, unlabelled, augment):
    """Features of every training copy."""
    writer = FeatureWriter(work / "train")
    parts = [(labelled, COPIES), (unlabelled, UNLABELLED_COPIES)]
    for table, copies in parts:
        for path in tqdm(table.path, desc="training features", disable=None):
            wav = read_audio(pack / path, RATE)
            for speed, augmented in copies:
                copy = wav if speed == 1.0 else change_speed(wav, speed)
                copy = augment(copy) if augmented else copy
                writer.add(copy, path=path, speed=speed, augmented=augmented)
    writer.close()


def write_scoring(pack, work, labelled, copies):
    """Features of the noisy copy; the condition goes by the path."""
    writer = FeatureWriter(work / "noisy")
    for path in tqdm(labelled.path, desc="noisy features", disable=None):
        condition = CONDITIONS[zlib.crc32(path.encode()) % len(CONDITIONS)]
        wav = copies[condition](read_audio(pack / path, RATE))
        writer.add(wav, path=path, condition=condition)
    writer.close()


def write_test(pack, work, test):
    """Features of the test part, as recorded."""
    writer = FeatureWriter(work / "test")
    for path in tqdm(test.path, desc="test features", disable=None):
        writer.add(read_audio(pack / path, RATE), path=path)
    writer.close()


def prepare(pack, work, seed=1234):
    """Make whatever is missing in the work folder."""
    torch.manual_seed(seed)
    labelled, unlabelled = read_parts(pack)
    dev = labelled[labelled.part == "dev"]
    babble = [str(pack / path) for path in unlabelled.path]
    if not (work / "train" / "index.csv").exists():
        augment = training_augmentation(
            *sounds(work, "sounds_train", babble[::2], seed)
        )
        write_training(pack, work, dev, unlabelled, augment)
    if not (work / "noisy" / "index.csv").exists():
        noise_csv, rir_csv = sounds(
            work, "sounds_noisy", babble[1::2], seed + 1, n_rooms=1
        )
        babble_csv, other_csv = split_kinds(noise_csv, work)
        write_scoring(
            pack, work, labelled, noisy_copies(other_csv, rir_csv, babble_csv)
        )
    if not (work / "test" / "index.csv").exists():
        write_test(pack, work, labelled[labelled.part == "test"])


def main():
    """Parse the command line and prepare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path, help="the small speech pack")
    parser.add_argument("work", type=Path, help="where features go, 3 GB")
    given = parser.parse_args()
    torch.set_num_threads(1)
    prepare(given.pack, given.work)


if __name__ == "__main__":
    main()
