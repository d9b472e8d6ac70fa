#!/usr/bin/env python3
"""Make new voices of a folder of speech, each through a channel of its own.

    python change_voices.py <folder of speech> <target> --voices 1 2 3 \\
        --without <csv of speakers to leave out>

* <target>/clean holds the new voices, for a teacher to hear (teach.py);
  <target>/heard the same through codecs and band limits, to train on
* files are called <folder>/v<voice>/<path>.wav; voice 0 changes nothing
* run it again after a crash: files that are there are kept
* needs Praat: pip install praat-parselmouth

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

from tqdm import tqdm
from workers import ask_workers

from speechbrain_moe.errors import InputError
from speechbrain_moe.training.data import read_table
from speechbrain_moe.training.sound_list import find_audio

PER_WORKER = 200  # files that a process makes before it ends


def check_praat():
    """Refuse to begin without Praat.

    Raises
    ------
    InputError
        Names the package to install.
    """
    if find_spec("parselmouth") is None:
        raise InputError(
            "changing voices needs Praat: pip install praat-parselmouth"
        )


def lacking(folder, target, voices, without):
    """Files that are still to be made.

    Arguments
    ---------
    folder, target : Path
        Speech, and where new files go.
    voices : list of int
        Numbers of the voices of each file.
    without : set of str
        Folders (speakers) whose files are left out.

    Returns
    -------
    list of tuple
        Source, new name, and whether the voice stays as it is.
    """
    found = []
    for source in find_audio(folder, "folder of speech"):
        path = Path(source).relative_to(folder)
        if without & {*path.parts}:
            continue
        for voice in voices:
            name = Path(folder.name, f"v{voice}", path.with_suffix(".wav"))
            if not (target / "heard" / name).is_file():
                found.append((str(source), name.as_posix(), voice == 0))
    return found


def make(files, target, n_workers):
    """Let workers make the files; shows how far they are."""
    script = Path(__file__).parent / "voice_changer.py"
    questions = [
        {"target": str(target), "files": files[i : i + PER_WORKER]}
        for i in range(0, len(files), PER_WORKER)
    ]
    with tqdm(total=len(files), unit="file") as bar:
        for n_made in ask_workers(script, questions, n_workers):
            bar.update(n_made)


def main(args=None):
    """Make what is lacking.

    Arguments
    ---------
    args : list of str, optional
        Of the command line.

    Returns
    -------
    int
        Exit code: 0, or 2 for bad input.
    """
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--voices", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--without", help="csv with a column spk_id")
    parser.add_argument("--workers", type=int)
    given = parser.parse_args(args)
    try:
        check_praat()
        without = set()
        if given.without:
            without = {*read_table(given.without).spk_id}
        files = lacking(
            given.folder.absolute(), given.target, given.voices, without
        )
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    make(files, given.target.absolute(), given.workers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
