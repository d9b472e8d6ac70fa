"""Recordings in other voices, each of which is a speaker of its own.

 * voice k of <folder>/<path>.<suffix> is the file
   <voices_folder>/<folder's name>/v<k>/<path>.wav, as the recipe's
   change_voices.py writes it; voice 0 is the recording
 * speech without a speaker has its voices too, for a teacher to tell apart
 * files that are lacking are found before the training begins

Authors
 * The speechbrain_moe developers 2026
"""

import os
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.teacher import teacher_rows


class ChangedVoices(NamedTuple):
    """Where the changed voices of recordings are.

    Arguments
    ---------
    n_voices : int
        Changed voices of each recording; 0: the recordings alone.
    folder : str
        The yaml's voices_folder.
    train_folder : str
        Folder of the recordings with a speaker.
    unlabelled_folder : str, optional
        Folder of those without.
    prob : float
        That a crop is of a changed voice, where there are some.
    """

    n_voices: int = 0
    folder: str = ""
    train_folder: str = ""
    unlabelled_folder: str | None = None
    prob: float = 0.75

    def paths(self, path, spk_id):
        """Files of a recording, by voice.

        Arguments
        ---------
        path : str
            The recording, below its folder.
        spk_id : str
            Its speaker; empty if not known.

        Returns
        -------
        list of str
            1 + n_voices paths, that of the recording first.

        Example
        -------
        >>> voices = ChangedVoices(1, "voices", "data/dev")
        >>> voices.paths("data/dev/ann/s1/1.flac", "ann")
        ['data/dev/ann/s1/1.flac', 'voices/dev/v1/ann/s1/1.wav']
        """
        if not self.n_voices:
            return [path]
        source = self.train_folder if spk_id else self.unlabelled_folder
        below = Path(path).relative_to(source).with_suffix(".wav")
        place = Path(self.folder, Path(source).resolve().name)
        numbers = range(1, self.n_voices + 1)
        return [path, *(str(place / f"v{k}" / below) for k in numbers)]


def check_voices(settings):
    """Refuse a number of voices without their folder, and the reverse.

    Arguments
    ---------
    settings : dict
        Values by yaml key.

    Raises
    ------
    HyperparameterError
        The message names the keys to change.

    Example
    -------
    >>> check_voices({"n_voices": 3, "voices_folder": None})
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.HyperparameterError: n_voices is 3 and
    voices_folder None: give both, or 0 and null
    """
    keys = ("n_voices", "voices_folder", "shards", "live_teacher")
    n_voices, folder, shards, live = map(settings.get, keys)
    if live is not None:
        check_live(settings)
    if live is None and bool(n_voices) != (folder is not None):
        raise HyperparameterError(
            f"n_voices is {n_voices or 0} and voices_folder {folder!r}: give "
            "both, or 0 and null"
        )
    if n_voices and shards is not None:
        raise HyperparameterError(
            f"n_voices is {n_voices} and shards {shards!r}: shards hold no "
            "changed voices, so give shards null, or n_voices 0 and "
            "voices_folder null"
        )


def check_live(settings):
    """Refuse other voices beside those that a live teacher hears.

    Arguments
    ---------
    settings : dict
        Values by yaml key, live_teacher not null.

    Raises
    ------
    HyperparameterError
        The message names the key to change.
    """
    said = f"live_teacher is {settings['live_teacher']!r}"
    wanted = {"voices_folder": None, "shards": None, "speeds": [1.0]}
    for key, value in wanted.items():
        if settings.get(key, value) != value:
            raise HyperparameterError(
                f"{said}: its voices are made in memory, so give {key} "
                f"{value or 'null'}"
            )
    if settings.get("teacher_embeddings") is None:
        raise HyperparameterError(
            f"{said} and teacher_embeddings null: give it those of the "
            "recordings, for their mean"
        )
    if settings.get("sample_rate", 16000) != 16000:
        raise HyperparameterError(
            f"{said} and sample_rate {settings['sample_rate']}: the teacher "
            "hears 16000 Hz alone"
        )
    if settings.get("batch_size", 2) % 2:
        raise HyperparameterError(
            f"{said} and batch_size {settings['batch_size']}: each voice is "
            "in a batch twice, so give an even number"
        )


def check_drawn_by(voices):
    """Refuse voices of speakers that change from file to file.

    Arguments
    ---------
    voices : ChangedVoices
        Where the files should be; beside their folder stands what
        ``change_voices.py`` drew them by.

    Raises
    ------
    HyperparameterError
        If each file of a speaker has a voice of its own: all of one number
        count as one new speaker.
    """
    name = f"{Path(voices.train_folder).resolve().name}.drawn_by"
    record = Path(os.path.abspath(voices.folder)).parent / name
    if not record.is_file():
        return
    if record.read_text(encoding="utf-8").strip() != "speaker":
        raise HyperparameterError(
            f"voices_folder: {record} says that each file has a voice of its "
            "own, and here a speaker's must be alike: make them anew by "
            "change_voices.py --speakers"
        )


def check_files(voices, rows, teacher=None):
    """Refuse to begin without a file, or with one that teaches nothing.

    Arguments
    ---------
    voices : ChangedVoices
        Where the files should be.
    rows : iterable of dict
        ``path`` and ``spk_id`` of each recording.
    teacher : Teacher, optional
        What ``read_teacher`` returned.

    Raises
    ------
    HyperparameterError
        Names the first file that is missing, or that is of speech without a
        speaker and not known to the teacher.
    """
    unlabelled = []
    for row in tqdm(rows, desc="voices", disable=None):
        files = voices.paths(row["path"], row["spk_id"])
        for file in files[1:]:
            if not Path(file).is_file():
                raise HyperparameterError(
                    f"voices_folder: {file}: no such file, a changed voice of "
                    f"{files[0]}: make it by change_voices.py"
                )
        if not row["spk_id"]:
            unlabelled += files
    if not unlabelled:
        return
    known = teacher_rows(teacher, unlabelled)
    for file in unlabelled:
        if file not in known:
            raise HyperparameterError(
                f"teacher_embeddings has no row for {file}, and unlabelled "
                "speech trains by a teacher alone: let it hear the changed "
                "voices too"
            )
