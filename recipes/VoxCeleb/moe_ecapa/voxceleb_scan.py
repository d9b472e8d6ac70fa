"""List the utterances of a VoxCeleb-like folder and say which are usable.

* Only speaker/session/utterance is taken; other depths are named as faults.
* Headers only, in a thread pool; a flac is also asked for its last frame,
  since a cut one still states its full length.
* A file that cannot be trained on costs a line with a reason, not the run.

Authors
 * The speechbrain_moe developers 2026
"""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import soundfile
from tqdm import tqdm

from speechbrain_moe.errors import InputError

logger = logging.getLogger(__name__)

LAYOUT = "<speaker>/<session>/<utterance>.<wav|flac|opus|ogg>"
SUFFIXES = (".wav", ".flac", ".opus", ".ogg")
OTHER_AUDIO = (".m4a", ".mp3", ".aac", ".mp4")  # listed, so they are seen
CHUNK = 256  # files per job: one job a file costs gigabytes at 1.2 M files
NO_LENGTH = 2**40  # libsndfile gives 2**63 - 1 frames when it does not know


class PreparationError(InputError):
    """The folder, the lists or the metadata cannot give train and dev."""


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
    voxceleb_scan.PreparationError: train_folder: no folder nowhere; ...
    """
    if not folder.is_dir():
        raise PreparationError(
            f"train_folder: no folder {folder}; give the one with {LAYOUT}"
        )
    files, example = [], None
    walk = os.walk(folder, onerror=logger.warning, followlinks=True)
    for parent, folders, names in walk:
        below = Path(parent).relative_to(folder).parts
        folders[:] = [n for n in folders if not _leads_back(parent, n)]
        for name in names:
            path = "/".join((*below, name))
            example = example or path
            if _is_audio(name):
                files.append((path, _size(os.path.join(parent, name))))
    _check_layout(folder, files, example)
    return sorted(files)


def _leads_back(parent, name):
    """Return whether a folder is a link to one it stands in: a loop."""
    path = os.path.join(parent, name)
    if not os.path.islink(path):
        return False
    real = Path(os.path.realpath(path))
    return Path(os.path.realpath(parent)).is_relative_to(real)


def _is_audio(name):
    """Return whether a file name is audio; macOS leaves ._name.wav behind."""
    suffix = os.path.splitext(name)[1].lower()
    return suffix in SUFFIXES + OTHER_AUDIO and not name.startswith(".")


def _size(path):
    """Return the bytes of a file, -1 for a link that leads nowhere."""
    return os.path.getsize(path) if os.path.exists(path) else -1


def _check_layout(folder, files, example):
    """Raise unless most files stand at the wanted depth."""
    others = sorted(path for path, _ in files if path.count("/") != 2)
    if len(files) > 2 * len(others):
        return  # the others are listed as broken
    found = f"for example {example}" if example else "nothing"
    mend = "unpack the corpus and point train_folder at its speakers"
    if others:
        *above, _ = others[0].split("/")
        found = f"for example {others[0]}, {len(above)} folders deep"
        mend = "put each file into a speaker's folder and a session's (s01)"
        if len(above) > 2:
            mend = f"point train_folder at {folder.joinpath(*above[:-2])}"
    raise PreparationError(
        f"train_folder: the files of {folder} are not {LAYOUT}; found "
        f"{found}. To mend it, {mend}"
    )


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
    chunks = [files[i : i + CHUNK] for i in range(0, len(files), CHUNK)]

    def read(chunk):
        return [
            (path, *_header(folder, path, size, min_duration_s, sample_rate))
            for path, size in chunk
        ]

    rows = []
    with (
        ThreadPoolExecutor(min(16, 4 * (os.cpu_count() or 1))) as pool,
        tqdm(total=len(files), desc="headers", disable=None) as bar,
    ):
        for done in pool.map(read, chunks):
            rows += done
            bar.update(len(done))
    table = pd.DataFrame(rows, columns=["path", "duration_s", "reason"])
    table.insert(0, "ID", [os.path.splitext(path)[0] for path in table.path])
    return _mark_twins(table)


def _mark_twins(table):
    """Give a reason to all but the first usable file of the same ID."""
    usable = table[table.reason == ""]
    twins = usable.index[usable.ID.duplicated()]
    table.loc[twins, "reason"] = "second file of this name: delete one"
    return table


def _header(folder, path, size, min_duration_s, sample_rate):
    """Return (duration_s, reason) of one file."""
    fault = _name_fault(path, size)
    if fault:
        return 0.0, fault
    try:
        with soundfile.SoundFile(folder / path) as file:
            rate, frames = file.samplerate, file.frames
            if file.format == "FLAC" and 0 < frames < NO_LENGTH:
                file.seek(frames - 1)
    except (RuntimeError, OSError) as error:
        text = getattr(error, "error_string", None) or str(error)
        return 0.0, f"unreadable or cut off: {text} Copy it again"
    fault = _sound_fault(rate, frames, min_duration_s, sample_rate)
    return round(frames / rate, 3), fault


def _name_fault(path, size):
    """Return why path, suffix or bytes make a file unusable, or ''."""
    depth = path.count("/")
    if depth != 2:
        return f"layout: {depth} folders above the file, want {LAYOUT}"
    if path.split() != [path]:
        return "white space in the path splits a trial line: rename it"
    if path != path.encode("utf-8", "ignore").decode():
        return "the name is not UTF-8, which a csv cannot hold: rename it"
    if os.path.splitext(path)[1].lower() in OTHER_AUDIO:
        return "format not read: convert, ffmpeg -i IN -ar 16000 OUT.wav"
    if size == -1:
        return "link to a missing file: link it again"
    return "" if size else "empty file: copy it again"


def _sound_fault(rate, frames, min_duration_s, sample_rate):
    """Return why a readable file is unusable, or ''."""
    if rate != sample_rate:  # training reads crops by frame offset
        tools = f"sox IN -r {sample_rate} OUT or ffmpeg -i IN -ar {sample_rate}"
        return f"{rate} Hz, want {sample_rate}: resample, {tools} OUT"
    if frames >= NO_LENGTH:
        return "no length in the header: encode it again"
    if frames < min_duration_s * rate:
        return f"{frames / rate:.3f} s, shorter than {min_duration_s} s"
    return ""
