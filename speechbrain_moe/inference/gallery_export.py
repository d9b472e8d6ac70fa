"""A gallery's recordings as one file, for other programs and galleries.

 * npz holds everything, and can be taken in again; csv is for spreadsheets
   and other languages
 * it appears whole or not at all
 * what is taken in is checked as what is enrolled: names, and embeddings of
   length 1

Shape letters: R recordings, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

import csv
from functools import partial
from pathlib import Path

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.embedding_shards import DAMAGED
from speechbrain_moe.inference.gallery_file import Recordings

COLUMNS = ("names", "files", "sha256")


def write_export(path, found):
    """Write recordings to a file.

    Arguments
    ---------
    path : str or Path
        ``.npz``: model, names, files and sha256 [R], embeddings [R, D];
        ``.csv``: name, file, sha256 and D numbers for each recording.
    found : Recordings
        One or more.

    Raises
    ------
    InputError
        If the name ends otherwise, or the file cannot be written.
    """
    writers = {".npz": write_npz, ".csv": write_csv}
    suffix = Path(path).suffix.lower()
    if suffix not in writers:
        raise InputError(f"{path}: give a name that ends in .npz or .csv")
    try:
        write_whole(path, partial(writers[suffix], found))
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}); give another place"
        ) from error


def write_npz(found, path):
    """All of it, as arrays."""
    texts = {key: np.array(getattr(found, key), dtype=str) for key in COLUMNS}
    model = np.array(found.model)
    with open(path, "wb") as stream:
        np.savez(stream, model=model, embeddings=found.embeddings, **texts)


def write_csv(found, path):
    """A header, and a line for each recording."""
    numbers = [f"e{i}" for i in range(found.embeddings.shape[1])]
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["name", "file", "sha256", *numbers])
        texts = zip(found.names, found.files, found.sha256)
        for row, embedding in zip(texts, found.embeddings):
            writer.writerow([*row, *(f"{value:.9g}" for value in embedding)])


def read_export(path):
    """Read what ``write_export`` wrote.

    Arguments
    ---------
    path : str or Path
        An ``.npz`` file.

    Returns
    -------
    Recordings
        In the order of the file.

    Raises
    ------
    InputError
        If it is missing, damaged or of another kind.

    Example
    -------
    >>> path = getfixture("tmp_path") / "voices.npz"
    >>> ones = np.ones((1, 1), dtype=np.float32)
    >>> write_export(path, Recordings("key", ["ann"], ["a.wav"], ["0a"], ones))
    >>> read_export(path).names
    ['ann']
    """
    try:
        with open(path, "rb") as stream, np.load(stream) as arrays:
            model = str(arrays["model"])
            texts = [arrays[key].tolist() for key in COLUMNS]
            found = Recordings(model, *texts, arrays["embeddings"])
    except DAMAGED as error:
        raise InputError(
            f"{path} cannot be taken in ({error}); give an .npz that a "
            "gallery's export wrote"
        ) from error
    check_recordings(path, found)
    return found


def check_recordings(path, found):
    """Refuse what no export can hold."""
    embeddings, n = found.embeddings, len(found.names)
    if not has_unit_rows(embeddings):
        raise InputError(
            f"{path}: embeddings are not rows of length 1; export the "
            "gallery again"
        )
    counts = {len(found.files), len(found.sha256), len(embeddings)}
    texts = (*found.names, *found.files, *found.sha256)
    if counts != {n} or not all(isinstance(text, str) for text in texts):
        raise InputError(
            f"{path} does not hold a name, a file, a hash and an embedding "
            "for each recording; export the gallery again"
        )


def has_unit_rows(array):
    """Whether an array is one or more rows of length 1.

    Example
    -------
    >>> has_unit_rows(np.ones((2, 1))), has_unit_rows(np.ones((2, 2)))
    (True, False)
    """
    if array.ndim != 2 or array.dtype.kind != "f" or not array.size:
        return False
    return bool(np.allclose(np.linalg.norm(array, axis=1), 1, atol=1e-3))
