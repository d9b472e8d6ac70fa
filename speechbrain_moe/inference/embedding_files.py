"""Embeddings of files as npz, csv, Kaldi's text ark, or parquet.

 * the name's ending says which
 * npz: paths, embeddings [U, D], and a column for each quality figure; csv
   and parquet: a row for each file; ark: path and vector alone
 * each is written whole or not at all

Shape letters: U files, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from speechbrain_moe.errors import InputError, MissingPackageError
from speechbrain_moe.files import write_whole


def check_target(path, paths=()):
    """Refuse a file that could not be written in the end.

    Arguments
    ---------
    path : str or Path
        The file.
    paths : sequence of str
        What it is to hold.

    Raises
    ------
    InputError
        If the ending is unknown, a package for it is not installed, or one
        of paths holds white space and the form is ark.

    Example
    -------
    >>> check_target("voices.mat")
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.InputError: voices.mat: give a name that ends in
    .npz, .csv, .ark, .parquet
    """
    if Path(path).suffix not in WRITERS:
        raise InputError(
            f"{path}: give a name that ends in {', '.join(WRITERS)}"
        )
    if Path(path).is_dir():
        raise InputError(f"{path}: is a folder; give a file")
    if Path(path).suffix == ".ark":
        check_keys(paths)
    if Path(path).suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise MissingPackageError(
                f"{path}: parquet needs pyarrow: pip install pyarrow; or "
                "give a name that ends in .csv or .npz"
            ) from error


def check_keys(paths):
    """Refuse what can be no key of a Kaldi ark."""
    for path in paths:
        if path.split() != [path]:
            raise InputError(
                f"the path {path!r} holds white space, which a Kaldi ark "
                "cannot; rename the file, or write .npz"
            )


def write_embeddings(path, found):
    """Write embeddings in the form that the name asks for.

    Arguments
    ---------
    path : str or Path
        File to write, ending in .npz, .csv, .ark or .parquet.
    found : FileEmbeddings
        What to write.

    Raises
    ------
    InputError
        If the ending is unknown, a package is not installed, or a path
        holds white space and the form is ark.

    Example
    -------
    >>> from speechbrain_moe.inference.file_embeddings import FileEmbeddings
    >>> path = getfixture("tmp_path") / "voices.ark"
    >>> rows = np.array([[0.6, 0.8]], dtype=np.float32)
    >>> write_embeddings(path, FileEmbeddings(["a.wav"], rows, {}, {}))
    >>> path.read_text()
    'a.wav  [ 0.6 0.8 ]\\n'
    """
    check_target(path, found.paths)
    write_whole(path, WRITERS[Path(path).suffix](found))


def npz(found):
    """A writer of npz."""
    arrays = {
        "paths": np.array(found.paths, dtype=str),
        "embeddings": found.embeddings,
        **found.quality,
    }
    return partial(np.savez, **arrays)


def table(found):
    """A row for each file: path, quality, e0 and so on."""
    quality = pd.DataFrame({"path": found.paths, **found.quality})
    vectors = pd.DataFrame(found.embeddings).add_prefix("e")
    return pd.concat([quality, vectors], axis=1)


def csv(found):
    """Text with commas."""
    return table(found).to_csv(index=False, lineterminator="\n")


def parquet(found):
    """A writer of parquet."""
    return partial(table(found).to_parquet, index=False)


def ark(found):
    """Kaldi's text form, one vector a line."""
    # str of a float32 is the shortest text that reads back the same
    return "".join(
        f"{path}  [ {' '.join(map(str, vector))} ]\n"
        for path, vector in zip(found.paths, found.embeddings)
    )


WRITERS = {".npz": npz, ".csv": csv, ".ark": ark, ".parquet": parquet}
