"""Find the folders that hold speakers: one, or several at any depth.

* A path ends in speaker/session/utterance; what stands above those three is
  a speaker folder, such as wav, or vox1/dev/wav and vox2/dev/flac at once.
* A speaker folder inside another's speaker or session is a stray: the one
  with more files stays.
* A speaker name in two speaker folders is refused: are they one person?

Authors
 * The speechbrain_moe developers 2026
"""

import os
from collections import Counter

from voxceleb_headers import SUFFIXES

from speechbrain_moe.errors import InputError

LAYOUT = "<speaker>/<session>/<utterance>.<wav|flac|opus|ogg>"


class PreparationError(InputError):
    """The folder, the lists or the metadata cannot give train and dev."""


def speaker_folder(path):
    """Folder that holds the speaker of a file.

    Arguments
    ---------
    path : str
        Relative path of an utterance, with "/".

    Returns
    -------
    str or None
        '' for the folder that paths are relative to; None if the path has
        no speaker and session.

    Example
    -------
    >>> speaker_folder("vox1/wav/id10001/s01/1.wav")
    'vox1/wav'
    """
    n_above = path.count("/") - 2
    if n_above < 1:
        return None if n_above else ""
    return path.rsplit("/", 3)[0]


def find_speaker_folders(files):
    """Count the files of each folder that holds speakers, strays left out.

    Arguments
    ---------
    files : list of (str, int)
        Path and bytes of each file.

    Returns
    -------
    dict
        Speaker folder to its number of files, largest first.

    Example
    -------
    >>> paths = ["wav/a/s/1.wav", "wav/a/s/2.wav", "wav/a/s/deep/3.wav"]
    >>> find_speaker_folders([(path, 1) for path in paths])
    {'wav': 2}
    """
    sizes = Counter(speaker_folder(path) for path, _ in files)
    sizes.pop(None, None)
    kept, above_kept = {}, set()
    for folder, size in sorted(sizes.items(), key=lambda f: (-f[1], f[0])):
        above = _folders_above(folder)
        if folder in above_kept or not kept.keys().isdisjoint(above):
            continue  # one of the two is no speaker folder
        kept[folder] = size
        above_kept.update(above)
    return kept


def _folders_above(folder):
    """Return 'a' and '' for 'a/b', nothing for ''."""
    parts = folder.split("/") if folder else []
    return ["/".join(parts[:n]) for n in range(len(parts))]


def check_layout(folder, files, example):
    """Raise unless most files stand where an utterance may.

    Arguments
    ---------
    folder : pathlib.Path
        The train_folder, for the message.
    files : list of (str, int)
        Path and bytes of each audio file.
    example : str or None
        Any file of the folder, to show what is there instead.

    Raises
    ------
    PreparationError
        If half of the files or more are no speaker/session/utterance.
    """
    kept = find_speaker_folders(files)
    if 2 * sum(kept.values()) > len(files):
        return  # the others are listed as broken
    others = [path for path, _ in files if speaker_folder(path) not in kept]
    found = f"for example {example}" if example else "nothing"
    mend = "unpack the corpus and point train_folder at its speakers"
    if others:
        depth = others[0].count("/")
        found = f"for example {others[0]}, {depth} folders deep"
        mend = "put each file into a speaker's folder and a session's (s01)"
        if kept:
            mend += f", or point train_folder at {folder / next(iter(kept))}"
    raise PreparationError(
        f"train_folder: the files of {folder} are not {LAYOUT}; found "
        f"{found}. To mend it, {mend}"
    )


def count_speakers(files, folders):
    """Count the files that each speaker has in a readable format.

    Arguments
    ---------
    files : list of (str, int)
        Path and bytes of each file.
    folders : dict
        What find_speaker_folders returned.

    Returns
    -------
    dict of dict
        Speaker folder to speaker to number of files.

    Raises
    ------
    PreparationError
        If a speaker stands in two of the folders; names both.

    Example
    -------
    >>> count_speakers([("wav/a/s/1.wav", 9)], {"wav": 1})
    {'wav': {'a': 1}}
    """
    counts = {folder: Counter() for folder in folders}
    for path, _ in files:
        folder = speaker_folder(path)
        if folder in counts and path.lower().endswith(SUFFIXES):
            counts[folder][path.split("/")[-3]] += 1
    home = {}
    for folder, sizes in counts.items():
        for speaker in sizes:
            if home.setdefault(speaker, folder) != folder:
                _refuse_clash(speaker, home[speaker], folder)
    return {folder: dict(sizes) for folder, sizes in counts.items()}


def _refuse_clash(speaker, first, second):
    """Say what to do with one name in two folders."""
    first, second = (os.path.join(f, speaker) for f in (first, second))
    raise PreparationError(
        f"train_folder: the speaker {speaker} stands at {first} and at "
        f"{second}. If it is one person, put the sessions into one folder; "
        "if two, rename one; if they are copies, leave one out"
    )
