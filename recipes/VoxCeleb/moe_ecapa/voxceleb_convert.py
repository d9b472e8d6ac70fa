#!/usr/bin/env python3
"""Convert a tree of m4a (VoxCeleb2) into wav, flac or opus of 16 kHz mono.

    python voxceleb_convert.py <vox2>/dev/aac <vox2>/dev/flac --format flac

* A process for each core; progress is shown.
* Start it again after a kill and it goes on: what is there is whole.
* What cannot be converted goes to broken.csv with the reason.

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import csv
import io
import json
import logging
import os
import sys
from pathlib import Path
from typing import NamedTuple

import voxceleb_decode
from tqdm import tqdm
from voxceleb_decode import FORMATS, choose_decoder, convert_files
from voxceleb_scan import list_files
from workers import ask_workers

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole

logger = logging.getLogger(__name__)

CHUNK = 200  # files of a worker: a second and up, 0.3 s to start


class Conversion(NamedTuple):
    """Files converted now, there before, and broken; where those stand."""

    n_converted: int
    n_skipped: int
    n_broken: int
    broken_csv: Path


def convert_folder(
    source_folder,
    target_folder,
    audio_format="flac",
    sample_rate=16000,
    n_workers=None,
):
    """Write each audio file of a tree at the same place in another one.

    Arguments
    ---------
    source_folder : str
        Holds <speaker>/<session>/<utterance>.<m4a, or any audio>.
    target_folder : str
        Where to write; not inside source_folder.
    audio_format : str
        wav, flac or opus.
    sample_rate : int
        In Hz.
    n_workers : int, optional
        Processes at a time; default: one for each core.

    Returns
    -------
    Conversion
        Counts, and where the broken files are listed.

    Raises
    ------
    InputError
        If a folder or the format cannot be used, or there is no decoder.

    Example
    -------
    >>> convert_folder("vox2/aac", "vox2/aac/flac")
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.InputError: target_folder vox2/aac/flac is inside
    source_folder vox2/aac: choose one beside it, which the next run will
    not convert again
    """
    source, target = Path(source_folder), Path(target_folder)
    _check(source, target, audio_format)
    targets = {
        target / path.with_suffix(f".{audio_format}"): source / path
        for path in (Path(name) for name, _ in list_files(source))
    }
    jobs = [
        (str(file), str(goal))
        for goal, file in targets.items()
        if not goal.exists()
    ]
    broken = _convert(jobs, audio_format, sample_rate, n_workers)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["path", "reason"])
    table.writerows(
        [Path(path).relative_to(source).as_posix(), reason]
        for path, reason in broken
    )
    # Names of files need not be text
    lines = text.getvalue().encode(errors="backslashreplace").decode()
    write_whole(target / "broken.csv", lines)
    if broken:
        logger.warning("%d files: see %s", len(broken), target / "broken.csv")
    return Conversion(
        len(jobs) - len(broken),
        len(targets) - len(jobs),
        len(broken),
        target / "broken.csv",
    )


def _check(source, target, audio_format):
    """Refuse arguments that do not fit."""
    if audio_format not in FORMATS:
        raise InputError(
            f"format {audio_format}: choose one of {', '.join(FORMATS)}"
        )
    if Path(os.path.abspath(target)).is_relative_to(os.path.abspath(source)):
        raise InputError(
            f"target_folder {target} is inside source_folder {source}: "
            "choose one beside it, which the next run will not convert again"
        )


def _convert(jobs, audio_format, sample_rate, n_workers):
    """Do the jobs in chunks; return (source, reason) of those that failed."""
    given = {"audio_format": audio_format, "sample_rate": sample_rate}
    given["decoder"] = choose_decoder()
    questions = [
        {"jobs": jobs[start : start + CHUNK], **given}
        for start in range(0, len(jobs), CHUNK)
    ]
    answers = ask_workers(voxceleb_decode.__file__, questions, n_workers)
    if len(questions) == 1:
        answers = [convert_files(**questions[0])]
    broken = []
    with tqdm(total=len(jobs), desc="files", disable=None) as bar:
        for question, faults in zip(questions, answers):
            chunk = question["jobs"]
            broken += [(chunk[int(n)][0], f) for n, f in faults.items()]
            bar.update(len(chunk))
    return broken


def main(argv=None):
    """Run convert_folder on command line arguments; return exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source_folder")
    parser.add_argument("target_folder")
    parser.add_argument("--format", default="flac", choices=FORMATS)
    parser.add_argument("--sample-rate", type=int, default=16000)
    parser.add_argument("--n-workers", type=int)
    given = vars(parser.parse_args(argv))
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    try:
        done = convert_folder(audio_format=given.pop("format"), **given)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(done._asdict(), default=str, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
