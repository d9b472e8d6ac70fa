"""What a trained teacher says of the speech, from a file of embeddings.

 * any encoder serves as a teacher; none is run here
 * a row of the trial list would leak it into training, so it is refused
 * audio finds its row by the end of its path, so the file may name paths
   relative to any folder above the audio

Shape letters: N rows of the file.

Authors
 * The speechbrain_moe developers 2026
"""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechbrain_moe.errors import HyperparameterError


class Teacher(NamedTuple):
    """Embeddings of a teacher by path.

    Arguments
    ---------
    rows : dict
        Row of each path, as a tuple of the path's components.
    embeddings : numpy.ndarray
        Unit-length embeddings [N, teacher_dim], float32.
    """

    rows: dict
    embeddings: np.ndarray


def read_teacher(npz_path, forbidden_paths=()):
    """Teacher embeddings of an npz file, brought to unit length.

    Arguments
    ---------
    npz_path : str or Path
        Holds ``paths`` [N] (text, relative to a folder above the audio) and
        ``embeddings`` [N, teacher_dim] (any float type).
    forbidden_paths : iterable of str
        Files of the trial list. Paths are compared by their last three
        components (speaker, session, utterance), or by as many as the
        shorter one has.

    Returns
    -------
    Teacher
        Rows by path and float32 embeddings.

    Raises
    ------
    HyperparameterError
        If the file is missing or damaged, an array is missing, misshapen or
        not finite, a path stands there twice, or is a forbidden one.

    Example
    -------
    >>> path = getfixture("tmp_path") / "teacher.npz"
    >>> np.savez(path, paths=["a/1.wav"], embeddings=[[0.0, 2.0]])
    >>> read_teacher(path).embeddings.tolist()
    [[0.0, 1.0]]
    """
    paths, embeddings = load_arrays(npz_path)
    check_shapes(npz_path, paths, embeddings)
    embeddings = embeddings.astype(np.float32)
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unusable = ~(np.isfinite(norms) & (norms > 0)).ravel()
    if unusable.any():
        refuse(
            npz_path,
            f"the embedding of {paths[unusable.argmax()]} is not finite or "
            "zero: compute it again or take it out",
        )
    rows = {Path(str(path)).parts: i for i, path in enumerate(paths)}
    if len(rows) < len(paths):
        twice = next(
            p for i, p in enumerate(paths) if rows[Path(str(p)).parts] != i
        )
        refuse(npz_path, f"{twice} stands there twice: keep one row of it")
    check_leak(npz_path, rows, forbidden_paths)
    return Teacher(rows, embeddings / norms)


def load_arrays(npz_path):
    """The two arrays of a teacher file.

    Arguments
    ---------
    npz_path : str or Path
        The file.

    Returns
    -------
    numpy.ndarray
        Its ``paths``.
    numpy.ndarray
        Its ``embeddings``.

    Raises
    ------
    HyperparameterError
        If the file is missing, no npz, or lacks one of them.
    """
    if not Path(npz_path).is_file():
        refuse(npz_path, "no such file; correct the path, or give null")
    try:
        with np.load(npz_path) as file:
            return file["paths"], file["embeddings"]
    except KeyError as error:
        refuse(npz_path, f"{error.args[0]}: give arrays paths and embeddings")
    except (ValueError, OSError, AttributeError, zipfile.BadZipFile) as error:
        refuse(npz_path, f"cannot be read ({error}): write it with np.savez")


def refuse(npz_path, reason):
    """Raise the error that names the yaml key, the file and the reason."""
    raise HyperparameterError(f"teacher_embeddings {npz_path}: {reason}")


def check_shapes(npz_path, paths, embeddings):
    """Refuse arrays that are no list of paths with a vector for each.

    Arguments
    ---------
    npz_path : str or Path
        The file, for the message.
    paths, embeddings : numpy.ndarray
        What it holds.

    Raises
    ------
    HyperparameterError
        The message gives both shapes.
    """
    fits = paths.ndim == 1 and paths.dtype.kind == "U" and len(paths) > 0
    fits = fits and embeddings.ndim == 2 and len(embeddings) == len(paths)
    if not (fits and embeddings.shape[1] and embeddings.dtype.kind == "f"):
        refuse(
            npz_path,
            f"paths {paths.dtype} {paths.shape}, embeddings "
            f"{embeddings.dtype} {embeddings.shape}: give N texts and N "
            "vectors of floats",
        )


def check_leak(npz_path, rows, forbidden_paths):
    """Refuse rows of files that the model is to be tested on.

    Arguments
    ---------
    npz_path : str or Path
        The file, for the message.
    rows : iterable of tuple of str
        Components of its paths.
    forbidden_paths : iterable of str
        Files of the trial list.

    Raises
    ------
    HyperparameterError
        Names the first such row.
    """
    tested = {Path(path).parts[-3:] for path in forbidden_paths}
    ends = {end for parts in tested for end in path_ends(parts)}
    for parts in rows:
        last = parts[-3:]
        if last in ends or tested & {*path_ends(last)}:
            refuse(
                npz_path,
                f"{'/'.join(parts)} stands in the trial list: take the rows "
                "of the trial list out, or it is no test",
            )


def path_ends(parts):
    """The path and what is left of it without its first folders.

    Arguments
    ---------
    parts : tuple of str
        Components of a path.

    Returns
    -------
    list of tuple of str
        Longest first.

    Example
    -------
    >>> path_ends(("a", "b", "1.wav"))
    [('a', 'b', '1.wav'), ('b', '1.wav'), ('1.wav',)]
    """
    return [parts[i:] for i in range(len(parts))]


def teacher_rows(teacher, files):
    """Row of each audio file that the teacher knows.

    Arguments
    ---------
    teacher : Teacher
        What ``read_teacher`` returned.
    files : iterable of str or Path
        Audio files, from the root or as far as the teacher's paths go.

    Returns
    -------
    dict
        Row by file, for files that have one; the longest path that a file
        ends with counts.

    Raises
    ------
    HyperparameterError
        If two files would share a row, since its path is too short.

    Example
    -------
    >>> teacher = Teacher({("a", "1.wav"): 0}, np.ones((1, 1)))
    >>> teacher_rows(teacher, ["/data/a/1.wav", "/data/b/1.wav"])
    {'/data/a/1.wav': 0}
    """
    found, owners = {}, {}
    for file in files:
        ends = path_ends(Path(file).parts)
        row = next((teacher.rows[e] for e in ends if e in teacher.rows), None)
        if row is None:
            continue
        if owners.setdefault(row, file) != file:
            raise HyperparameterError(
                f"teacher_embeddings has one row for both {owners[row]} and "
                f"{file}: write its paths with more of their folders"
            )
        found[file] = row
    return found
