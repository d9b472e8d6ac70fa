"""List the utterances of a VoxCeleb-like folder and say which are usable.

* Speakers may stand at any depth, and in several folders at once; stray
  files at other depths are named as faults.
* Headers only, by a process for each core.
* A file that cannot be trained on costs a line with a reason, not the run.
* A million files take a gigabyte here: nothing is kept twice.

Authors
 * The speechbrain_moe developers 2026
"""

import logging
import os
from pathlib import Path

import pandas as pd
import voxceleb_headers
from tqdm import tqdm
from voxceleb_headers import OTHER_AUDIO, SUFFIXES, headers
from voxceleb_layout import (
    LAYOUT,
    PreparationError,
    check_layout,
    find_speaker_folders,
    speaker_folder,
)
from workers import ask_workers

from speechbrain_moe.files import walk_folder

logger = logging.getLogger(__name__)

CHUNK = 20_000  # files a worker reads: half a second and up, 0.2 s to start


def list_files(folder):
    """List the audio files below a folder, in any layout.

    Arguments
    ---------
    folder : pathlib.Path
        The train_folder; links are followed, hidden files are not listed.

    Returns
    -------
    list of (str, int)
        Sorted (path below folder with "/", bytes); -1 bytes for a link to
        a missing file.

    Raises
    ------
    PreparationError
        If there is no such folder, or half of its files or more are not
        speaker/session/utterance; the message shows the layout found and
        where to point.

    Example
    -------
    >>> list_files(Path("nowhere"))
    Traceback (most recent call last):
    ...
    voxceleb_layout.PreparationError: train_folder: no folder nowhere; ...
    """
    if not folder.is_dir():
        raise PreparationError(
            f"train_folder: no folder {folder}; give the one with {LAYOUT}"
        )
    files, example = [], None
    with tqdm(desc="files", unit="", disable=None) as bar:
        for parent, names in walk_folder(folder, onerror=logger.warning):
            below = Path(parent).relative_to(folder).as_posix() + "/"
            for name in names:
                path = below.removeprefix("./") + name
                example = example or path
                if _is_audio(name):
                    files.append((path, _size(os.path.join(parent, name))))
            bar.update(len(names))
    check_layout(folder, files, example)
    files.sort()
    return files


def _is_audio(name):
    """Return whether a file name is audio; macOS leaves ._name.wav behind."""
    suffix = os.path.splitext(name)[1].lower()
    return suffix in SUFFIXES + OTHER_AUDIO and not name.startswith(".")


def _size(path):
    """Return the bytes of a file, -1 for a link that leads nowhere."""
    try:
        return os.path.getsize(path)
    except OSError:
        return -1


def read_headers(folder, files, min_duration_s=1.0, sample_rate=16000):
    """Tell the duration of each file, or why it cannot be trained on.

    Arguments
    ---------
    folder : pathlib.Path
        The train_folder.
    files : list of (str, int)
        What list_files returned.
    min_duration_s : float
        Shorter files are faulty.
    sample_rate : int
        In Hz; files of another rate are faulty.

    Returns
    -------
    pandas.DataFrame
        ID (path without suffix), path, duration_s and reason, one row per
        file in the given order; reason is empty when the file is usable.

    Example
    -------
    >>> read_headers(Path("."), [("a/b/c.wav", 0)]).reason[0]
    'empty file: copy it again'
    """
    durations_s, faults = [], {}
    chunks = _read_chunks(folder, files, min_duration_s, sample_rate)
    with tqdm(total=len(files), desc="headers", disable=None) as bar:
        for some_durations_s, some_faults in chunks:
            start = len(durations_s)
            faults |= {start + int(n): f for n, f in some_faults.items()}
            durations_s += some_durations_s
            bar.update(len(some_durations_s))
    faults |= _layout_faults(files)
    # As objects: pyarrow's strings, where it is installed, must be UTF-8
    names = {
        "ID": [os.path.splitext(path)[0] for path, _ in files],
        "path": [path for path, _ in files],
    }
    table = pd.DataFrame(names, dtype=object)
    table["duration_s"] = durations_s
    table["reason"] = [faults.get(n, "") for n in range(len(files))]
    return _mark_twins(table)


def _read_chunks(folder, files, min_duration_s, sample_rate):
    """Yield what headers() returns, by chunks in the order of files."""
    given = {"min_duration_s": min_duration_s, "sample_rate": sample_rate}
    starts = range(0, len(files), CHUNK)
    if len(starts) < 2:
        yield headers(str(folder), files, **given)
        return
    questions = [
        {"folder": str(folder), "files": files[start : start + CHUNK], **given}
        for start in starts
    ]
    yield from ask_workers(voxceleb_headers.__file__, questions)


def _layout_faults(files):
    """Return the fault of each file that stands at no utterance's place."""
    folders = find_speaker_folders(files)
    return {
        number: f"layout: {path.count('/')} folders above the file, want "
        f"{LAYOUT}" + (f" in {next(iter(folders))}" if any(folders) else "")
        for number, (path, _) in enumerate(files)
        if speaker_folder(path) not in folders
    }


def _mark_twins(table):
    """Give a reason to all but the first usable file of the same ID."""
    usable = table[table.reason == ""]
    twins = usable.index[usable.ID.duplicated()]
    table.loc[twins, "reason"] = "second file of this name: delete one"
    return table
