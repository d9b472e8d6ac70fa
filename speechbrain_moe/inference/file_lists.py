"""Files named one by one, by folder, by pattern, or in a list.

 * folders are searched to the bottom for audio files, in order of name
 * lists are text with one path a line, or csv with a column path; paths are
   those of the folder one is in
 * a file that was named twice is taken once

Authors
 * The speechbrain_moe developers 2026
"""

import glob
from pathlib import Path

import pandas as pd

from speechbrain_moe.errors import AudioError, InputError
from speechbrain_moe.files import walk_folder

AUDIO = {".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au"}
AUDIO |= {".aifc", ".caf", ".oga", ".rf64", ".sph", ".w64", ".wave"}
LISTS = {".txt", ".csv", ".lst"}


def list_files(given):
    """Audio files that are meant.

    Arguments
    ---------
    given : list of str
        Files, folders, patterns such as ``a/*.wav``, and lists: ``@list``,
        or a file that ends in .txt, .lst or .csv.

    Returns
    -------
    list of str
        Distinct paths, in the order given.

    Raises
    ------
    InputError
        If a list cannot be read, or nothing is found for one that is given.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> for name in ("b.wav", "a.wav", "notes.md"):
    ...     (folder / name).touch()
    >>> [Path(path).name for path in list_files([str(folder)])]
    ['a.wav', 'b.wav']
    """
    found = {}
    for name in given:
        for path in expand(name):
            found.setdefault(Path(path), path)  # ./a.wav is a.wav
    return [*found.values()]


def expand(name):
    """Files that one name stands for."""
    path = Path(name)
    if not name:
        raise AudioError("one name is empty; give a file or a folder")
    if path.is_dir():
        return files_below(path)
    if path.is_file() and path.suffix.lower() not in LISTS:
        return [name]
    if name.startswith("@") or path.suffix.lower() in LISTS:
        return read_list(name.removeprefix("@"))
    if glob.has_magic(name):
        return files_matching(name)
    raise AudioError(f"{name}: no such file; correct the path")


def files_below(folder):
    """Audio files of a folder and all folders in it, by name."""
    found = [
        Path(parent) / name
        for parent, names in walk_folder(folder)
        for name in names
        if Path(name).suffix.lower() in AUDIO
    ]
    found = [str(path) for path in sorted(found) if path.is_file()]
    if not found:
        raise AudioError(
            f"{folder}: no audio file in it or below it, such as .wav; give "
            "another folder, or name the files"
        )
    return found


def files_matching(pattern):
    """Files of a pattern, for shells that do not expand it."""
    paths = sorted(glob.glob(pattern, recursive=True))
    found = [path for path in paths if Path(path).is_file()]
    if not found:
        raise AudioError(f"{pattern}: no file matches; correct the pattern")
    return found


def read_list(path):
    """Paths that stand in a list.

    Arguments
    ---------
    path : str or Path
        csv with a column path, or text with one path a line.

    Returns
    -------
    list of str
        In the order of the list.

    Raises
    ------
    InputError
        If it cannot be read, is no such list, or is empty.

    Example
    -------
    >>> path = getfixture("tmp_path") / "list.txt"
    >>> _ = path.write_text("a.wav\\n\\nb.wav\\n")
    >>> read_list(path)
    ['a.wav', 'b.wav']
    """
    try:
        if Path(path).suffix.lower() == ".csv":
            # A file may be called NA
            table = pd.read_csv(
                path, usecols=["path"], dtype=str, keep_default_na=False
            )
            lines = table.path.tolist()
        else:
            lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: no list of files ({error}); give a csv with a column "
            "path, or one path a line"
        ) from error
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise InputError(f"{path}: the list is empty; give another one")
    return found
