#!/usr/bin/env python3
"""Make new voices of a folder of speech, each through a channel of its own.

    python change_voices.py <folder of speech> <target> --voices 1 2 3 \\
        --without <csv of speakers to leave out>

* <target>/clean holds the new voices, for a teacher to hear (teach.py);
  <target>/heard the same through codecs and band limits, to train on
* files are called <folder>/v<voice>/<path>.wav; voice 0 changes nothing
* each file is a voice of its own; with --speakers all files of a speaker (the
  first folder below the folder) change alike, to train on as a new speaker
* with --bend single formants move, too: bodies differ in more than length
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
from speechbrain_moe.files import write_whole
from speechbrain_moe.report.routing_attributes import read_metadata
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


def keep_drawn_by(target, folder, drawn_by):
    """Write what voices are drawn by, or compare it with before.

    Arguments
    ---------
    target, folder : Path
        Where new files go, and the speech.
    drawn_by : str
        "file" or "speaker".

    Raises
    ------
    InputError
        If files of the folder are there that were drawn otherwise: they
        would be taken for files of this call.
    """
    record = target / f"{folder.name}.drawn_by"
    before = drawn_by
    if record.is_file():
        before = record.read_text(encoding="utf-8").strip()
    elif (target / "heard" / folder.name).is_dir():
        before = "file"  # made before there was a choice
    if before != drawn_by:
        raise InputError(
            f"{target} has voices of {folder.name} that were drawn by "
            f"{before}, not by {drawn_by}: give another target, or remove them"
        )
    write_whole(record, f"{drawn_by}\n")


def keep_bent(target, folder, voices, bend):
    """Write which voices are bent, or compare it with before.

    Arguments
    ---------
    target, folder : Path
        Where new files go, and the speech.
    voices : list of int
        Their numbers.
    bend : bool
        Whether single formants move.

    Raises
    ------
    InputError
        If files of a voice are there that were made otherwise.
    """
    record = target / f"{folder.name}.bent"
    bent = set()
    if record.is_file():
        bent = {*map(int, record.read_text(encoding="utf-8").split())}
    place = target / "heard" / folder.name
    for voice in voices:
        if (place / f"v{voice}").is_dir() and (voice in bent) != bend:
            raise InputError(
                f"{place}/v{voice} was made {'without' if bend else 'with'} "
                "--bend: give another number, or remove it"
            )
    bent = bent | {*voices} if bend else bent - {*voices}
    write_whole(record, " ".join(map(str, sorted(bent))) + "\n")


def lacking(folder, target, voices, without, by_speaker=False):
    """Files that are still to be made.

    Arguments
    ---------
    folder, target : Path
        Speech, and where new files go.
    voices : list of int
        Numbers of the voices of each file.
    without : set of str
        Folders (speakers) whose files are left out.
    by_speaker : bool
        Whether all files of a speaker change alike.

    Returns
    -------
    list of tuple
        Source, new name, and the name that the voice is drawn by, None for
        voice 0.
    """
    found = []
    for source in find_audio(folder, "folder of speech"):
        path = Path(source).relative_to(folder)
        if without & {*path.parts}:
            continue
        for voice in voices:
            place = Path(folder.name, f"v{voice}")
            name = place / path.with_suffix(".wav")
            if not (target / "heard" / name).is_file():
                drawn_by = place / path.parts[0] if by_speaker else name
                drawn_by = drawn_by.as_posix() if voice else None
                found.append((source, name.as_posix(), drawn_by))
    return found


def make(files, target, bend, n_workers):
    """Let workers make the files; shows how far they are.

    Returns
    -------
    list of str
        Files that could not be used, and why.
    """
    broken = []
    script = Path(__file__).parent / "voice_changer.py"
    questions = [
        {
            "target": str(target),
            "bend": bend,
            "files": files[i : i + PER_WORKER],
        }
        for i in range(0, len(files), PER_WORKER)
    ]
    with tqdm(total=len(files), unit="file") as bar:
        for n_done, unfit in ask_workers(script, questions, n_workers):
            bar.update(n_done)
            broken += unfit
    return broken


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
    parser.add_argument(
        "--speakers",
        action="store_true",
        help="change all files of a speaker alike",
    )
    parser.add_argument(
        "--bend", action="store_true", help="move single formants, too"
    )
    parser.add_argument("--workers", type=int)
    given = parser.parse_args(args)
    try:
        check_praat()
        without = set()
        if given.without:
            listed = read_metadata(given.without, ["spk_id"])
            without = {*listed.spk_id.dropna()}
        folder, target = given.folder.resolve(), given.target.absolute()
        files = lacking(folder, target, given.voices, without, given.speakers)
        keep_drawn_by(target, folder, "speaker" if given.speakers else "file")
        keep_bent(target, folder, given.voices, given.bend)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    broken = make(files, target, given.bend, given.workers)
    for line in broken:
        print(line, file=sys.stderr)
    return 2 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
