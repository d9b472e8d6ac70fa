"""Embeddings of recordings of any kind, by the thousand.

 * the same embeddings that decisions are made by: any rate, channels
   averaged, long recordings in windows
 * what was done is kept in parts beside the result, so a run that was broken
   off goes on; the parts go when the result is there
 * a file that cannot be used is set aside with the reason, the rest goes on

Shape letters: U files, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

from contextlib import suppress
from pathlib import Path

import numpy as np
from tqdm import tqdm

from speechbrain_moe.errors import AudioError, InputError
from speechbrain_moe.inference.decisions import find_objections
from speechbrain_moe.inference.file_embeddings import FileEmbeddings
from speechbrain_moe.inference.quality import Quality
from speechbrain_moe.inference.sharded_extraction import (
    make_shards,
    read_shards,
)
from speechbrain_moe.inference.voices import describe_voices

PART_SIZE = 100  # files whose work can be lost


def embed_recordings(recognition, paths, out, folder=".", batch_size=1):
    """Embed recordings, going on where an earlier run was broken off.

    Arguments
    ---------
    recognition : MoESpeakerRecognition
        The model.
    paths : list of str
        Distinct files, relative to folder or absolute.
    out : str or Path
        The result that these embeddings are for; ``<out>.parts`` is made
        beside it, and is the caller's to take away by ``forget_parts``.
    folder : str or Path
        Where the files are.
    batch_size : int
        Windows of like length encoded at a time; changes the time it takes,
        not the embeddings.

    Returns
    -------
    FileEmbeddings
        Embeddings of length 1, the fields of ``Quality`` as quality, and
        the files that could not be used.

    Raises
    ------
    InputError
        If there is no such folder, or no file can be used.
    """
    task = recognition, paths, folder, parts_of(out)
    make_shards(
        *task,
        shard_size=PART_SIZE,
        batch_size=batch_size,
        describe=describe_recordings,
    )
    return read_shards(*task, PART_SIZE)


def parts_of(out):
    """Folder of the parts of a result."""
    return Path(out).with_name(f"{Path(out).name}.parts")


def forget_parts(out):
    """Take away the parts of a result that is there now.

    Arguments
    ---------
    out : str or Path
        The result.

    Example
    -------
    >>> forget_parts("nowhere.npz")
    """
    parts = parts_of(out)
    for file in parts.glob("*shard_*_of_*.npz"):  # and what a crash left
        file.unlink(missing_ok=True)
    with suppress(OSError):  # not there, or holds what others put there
        parts.rmdir()


def describe_recordings(
    recognition, paths, folder, batch_size=1, skip_broken=False
):
    """Embed recordings and tell their quality.

    Arguments
    ---------
    recognition : SpeakerRecognition
        Its embedding model is a MoEECAPA.
    paths : list of str
        Distinct files, relative to folder or absolute.
    folder : str or Path
        Where they are.
    batch_size : int
        Windows encoded at a time.
    skip_broken : bool
        Whether to go on past files that cannot be used.

    Returns
    -------
    FileEmbeddings
        In the order of paths, without the broken ones.

    Raises
    ------
    AudioError
        If a file cannot be used, unless they are to be skipped.
    InputError
        If batch_size is below 1.
    """
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}; give 1 or more")
    voices, broken = {}, {}
    progress = tqdm(
        total=len(paths), desc="embedding", leave=False, disable=None
    )
    for first in range(0, len(paths), 4 * batch_size):
        group = paths[first : first + 4 * batch_size]
        voices |= listen(recognition, group, folder, batch_size, broken)
        if broken and not skip_broken:
            path, reason = next(iter(broken.items()))
            raise AudioError(f"{Path(folder) / path}: {reason}")
        progress.update(len(group))
    progress.close()
    kept = [path for path in paths if path in voices]
    table = np.array([voices[path].quality for path in kept])
    return FileEmbeddings(
        kept,
        np.array([voices[path].embedding for path in kept], np.float32),
        dict(zip(Quality._fields, table.reshape(-1, len(Quality._fields)).T)),
        broken,
    )


def listen(recognition, paths, folder, batch_size, broken):
    """Voices by path; what cannot be used goes to broken.

    Arguments
    ---------
    recognition : SpeakerRecognition
        The model.
    paths : list of str
        A few files.
    folder : str or Path
        Where they are.
    batch_size : int
        Windows encoded at a time.
    broken : dict
        Filled with path and reason.

    Returns
    -------
    dict of Voice
        Those with an embedding.
    """
    files = [Path(folder) / path for path in paths]
    try:
        heard = describe_voices(recognition, files, batch_size)
    except AudioError as error:
        if len(paths) == 1:
            broken[paths[0]] = str(error).removeprefix(f"{files[0]}: ")
            return {}
        each = [listen(recognition, [p], folder, 1, broken) for p in paths]
        return {p: v for found in each for p, v in found.items()}
    for path, file, voice in zip(paths, files, heard):
        if voice.embedding is None:
            said = find_objections([voice])
            broken[path] = said.removeprefix(f"{file}: ")
    return {p: v for p, v in zip(paths, heard) if v.embedding is not None}
