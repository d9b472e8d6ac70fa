#!/usr/bin/env python3
"""More people beside the small speech pack: Arabic Speech Commands.

    python prepare_arabic_commands.py <corpus> <pack> <out>

* Source: Ghandoura et al., Building and benchmarking an Arabic Speech
  Commands dataset for small-footprint keyword spotting, Engineering
  Applications of Artificial Intelligence 102, 2021; 30 people, 12 000
  recordings of one second, CC BY 4.0:
  https://github.com/abdulkaderghandoura/arabic-speech-commands-dataset
* One second tells little of a voice, so eight commands of one person and
  round stand in a row in one recording.
* out holds train/, where the dev speakers of the pack are copied too, and
  meta/utterances.csv, whose column corpus says who is of which.
* A second run goes on where the first stopped; each file is put in place
  in one step, and meta/ is written when all of them stand.

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import random
import re
import shutil
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from tqdm import tqdm

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole

LAYOUT = "dataset/backward/00000001_NO_01.wav"
N_JOINED = 8  # commands of a recording
RATE = 16000  # Hz
META = "meta/utterances.csv"
CORPUS, PACK = "arabic_commands", "speechocean762"


def prepare_arabic_commands(corpus_folder, pack_folder, out_folder):
    """Write train/ and meta/ of the pack with more people.

    Arguments
    ---------
    corpus_folder : str
        Arabic Speech Commands, the folder that holds dataset.
    pack_folder : str
        The small speech pack: dev/ and meta/utterances.csv.
    out_folder : str
        Where to write; made when missing.

    Returns
    -------
    pandas.DataFrame
        What was joined: path, spk_id, part, session and corpus of each.

    Raises
    ------
    InputError
        If a folder does not hold what it should, or a recording cannot be
        read.

    Example
    -------
    >>> prepare_arabic_commands("nowhere", "pack", "more")
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.InputError: nowhere holds no dataset/back...
    """
    pack, out = Path(pack_folder), Path(out_folder)
    rounds = find_rounds(Path(corpus_folder))
    for path in (pack / META, pack / "dev"):
        if not path.exists():
            raise InputError(
                f"{path}: not there; give the small speech pack, see "
                "prepare_speechocean.py"
            )
    known = pd.read_csv(pack / META, dtype=str, keep_default_na=False)
    joined = [
        {
            "path": f"train/asc{who[-3:]}/r{number}/{place}.wav",
            "spk_id": f"asc{who[-3:]}",
            "part": "train",
            "session": f"r{number}",
            "corpus": CORPUS,
            "files": files,
        }
        for (who, number), files in sorted(rounds.items())
        for place, files in enumerate(in_rows(files, who + number))
    ]
    for row in tqdm(joined, desc="joining", disable=None):
        join(row.pop("files"), out / row["path"])
    for file in sorted((pack / "dev").glob("*/*/*")):
        target = out / "train" / file.relative_to(pack / "dev")
        if not target.exists():
            write_whole(target, partial(shutil.copyfile, file))
    joined = pd.DataFrame(joined)
    table = pd.concat([known.assign(corpus=PACK), joined])
    write_whole(out / META, partial(table.to_csv, index=False))
    return joined


def find_rounds(corpus_folder):
    """Recordings by person and round, in the order of their paths."""
    rounds = {}
    for path in sorted((corpus_folder / "dataset").glob("*/*.wav")):
        found = re.fullmatch(r"(\d{8})_NO_(\d+)", path.stem)
        if found:
            rounds.setdefault(found.groups(), []).append(path)
    if not rounds:
        raise InputError(
            f"{corpus_folder} holds no {LAYOUT} or such; give a clone of "
            "arabic-speech-commands-dataset"
        )
    return rounds


def in_rows(files, seed):
    """Eights of a round's files, drawn by the seed; the rest is left out."""
    files = files.copy()
    random.Random(seed).shuffle(files)
    last = len(files) - N_JOINED + 1
    return [files[i : i + N_JOINED] for i in range(0, last, N_JOINED)]


def join(files, target):
    """Write recordings in a row, unless they stand."""
    if target.exists():
        return
    parts = []
    for file in files:
        try:
            samples, rate = soundfile.read(file, dtype="int16")
        except (RuntimeError, OSError) as error:
            raise InputError(
                f"{file}: {error}; fetch the corpus again"
            ) from error
        if rate != RATE or samples.ndim != 1:
            raise InputError(
                f"{file}: {rate} Hz, {samples.shape} samples, not one "
                f"channel at {RATE} Hz; fetch the corpus again"
            )
        parts.append(samples)
    form = {"samplerate": RATE, "format": "WAV", "subtype": "PCM_16"}
    write = partial(soundfile.write, data=np.concatenate(parts), **form)
    write_whole(target, write)


def main(argv=None):
    """Run prepare_arabic_commands on command line arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus_folder", help=f"holds {LAYOUT}")
    parser.add_argument("pack_folder", help="the small speech pack")
    parser.add_argument("out_folder")
    given = parser.parse_args(argv)
    try:
        joined = prepare_arabic_commands(**vars(given))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    out = given.out_folder
    print(
        f"{len(joined)} recordings of {joined.spk_id.nunique()} more speakers; "
        f"train_folder: {out}/train, metadata: {out}/{META}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
