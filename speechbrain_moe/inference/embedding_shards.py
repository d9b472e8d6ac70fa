"""One shard: embeddings of a part of a list, in a file that can be trusted.

 * npz with paths, embeddings, a column for each quality figure, and the
   files that could not be used
 * it appears whole or not at all
 * keyed by the model's weights and settings and by name, size and time of
   the audio files, so that a shard of another model or list is told apart

Shape letters: U files, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

import hashlib
import json
import os
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.built_settings import built_otherwise
from speechbrain_moe.inference.file_embeddings import FileEmbeddings

OTHERS = {"key", "made_by", "paths", "embeddings"}
OTHERS |= {"broken_paths", "broken_reasons"}
# What numpy and zipfile say of damage; RuntimeError: of a zip's flags,
# TypeError and AttributeError: of an .npy
DAMAGED = (OSError, EOFError, KeyError, ValueError, BadZipFile)
DAMAGED += (RuntimeError, TypeError, AttributeError)


def encoder_key(encoder):
    """A hash of everything in a model that embeddings depend on.

    Arguments
    ---------
    encoder : SpeakerRecognition
        What ``load_encoder`` returned.

    Returns
    -------
    str
        The same for a training and the package exported from it.
    """
    plain = (int, float, str, bool, list)
    settings = {
        name: value
        for name, value in vars(encoder.hparams).items()
        if isinstance(value, plain)
    }
    settings |= built_otherwise(encoder.mods, settings)
    found = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    state = encoder.mods.embedding_model.state_dict()
    for name, weight in sorted(state.items()):
        found.update(name.encode())
        found.update(weight.cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def shard_key(model_key, paths, folder):
    """A hash of everything that a shard depends on.

    Arguments
    ---------
    model_key : str
        What ``encoder_key`` returned.
    paths : list of str
        The shard's files, relative to folder.
    folder : str or Path
        Where they are; its own name does not count.

    Returns
    -------
    str
        Another one for other files, or files that were written anew.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> before = shard_key("model", ["a.wav"], folder)
    >>> _ = (folder / "a.wav").write_text("mended")
    >>> shard_key("model", ["a.wav"], folder) == before
    False
    """
    files = [(path, *stamp(Path(folder) / path)) for path in paths]
    return hashlib.sha256(json.dumps([model_key, files]).encode()).hexdigest()


def stamp(file):
    """Size and time of a file, or nothing where none can be read."""
    try:
        readable, status = os.access(file, os.R_OK), os.stat(file)
    except (OSError, ValueError):  # ValueError: a null byte in the name
        return ()
    if not readable:
        return ()
    return status.st_size, status.st_mtime_ns


def write_shard(file, found, key, made_by=(0, 1)):
    """Write one shard, whole or not at all.

    Arguments
    ---------
    file : Path
        Where to.
    found : FileEmbeddings
        What to write.
    key : str
        What ``shard_key`` returned.
    made_by : tuple of int
        Number of the process and how many there were, for the record.

    Example
    -------
    >>> file = getfixture("tmp_path") / "shard.npz"
    >>> quality = {"duration_s": np.ones(1)}
    >>> found = FileEmbeddings(["a.wav"], np.ones((1, 2)), quality, {})
    >>> write_shard(file, found, "key")
    >>> key_of(file), read_shard(file).paths
    ('key', ['a.wav'])
    """
    arrays = {
        "key": np.array(key),
        "made_by": np.array(made_by),
        "paths": np.array(found.paths, dtype=str),
        "embeddings": found.embeddings,
        **found.quality,
        "broken_paths": np.array([*found.broken], dtype=str),
        "broken_reasons": np.array([*found.broken.values()], dtype=str),
    }
    write_whole(file, partial(np.savez, **arrays))


def key_of(file):
    """Key of a shard.

    Arguments
    ---------
    file : Path
        Where it should be.

    Returns
    -------
    str or None
        None where there is no whole one.

    Example
    -------
    >>> key_of("nowhere.npz") is None
    True
    """
    try:
        with open(file, "rb") as stream, np.load(stream) as arrays:
            return str(arrays["key"])
    except DAMAGED:
        return None


def read_shard(file):
    """Read one shard.

    Arguments
    ---------
    file : Path
        A shard.

    Returns
    -------
    FileEmbeddings
        What stands in it.

    Raises
    ------
    InputError
        If it is damaged.
    """
    try:
        with open(file, "rb") as stream, np.load(stream) as arrays:
            reasons = arrays["broken_reasons"].tolist()
            return FileEmbeddings(
                arrays["paths"].tolist(),
                arrays["embeddings"],
                {n: arrays[n] for n in arrays.files if n not in OTHERS},
                dict(zip(arrays["broken_paths"].tolist(), reasons)),
            )
    except DAMAGED as error:
        raise InputError(
            f"{file} is damaged ({error}); remove it and extract again"
        ) from error


def join_shards(shards):
    """Put the contents of shards together.

    Arguments
    ---------
    shards : list of FileEmbeddings
        In the order of the list.

    Returns
    -------
    FileEmbeddings
        The whole list, without the broken files.

    Raises
    ------
    InputError
        If no file of any shard could be used.

    Example
    -------
    >>> parts = [
    ...     FileEmbeddings([name], np.ones((1, 2)), {"duration_s": [1.0]}, {})
    ...     for name in ("a.wav", "b.wav")
    ... ]
    >>> join_shards(parts).paths
    ['a.wav', 'b.wav']
    """
    used = [shard for shard in shards if shard.paths]
    broken = {p: why for shard in shards for p, why in shard.broken.items()}
    if not used:
        path, reason = next(iter(broken.items()))
        raise InputError(
            f"none of {len(broken)} files can be used, the first is "
            f"{path}: {reason}"
        )
    return FileEmbeddings(
        [path for shard in used for path in shard.paths],
        np.concatenate([shard.embeddings for shard in used]),
        {
            name: np.concatenate([shard.quality[name] for shard in used])
            for name in used[0].quality
        },
        broken,
    )
