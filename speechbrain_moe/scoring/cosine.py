"""Rows of embeddings, looked up by file and compared by cosine.

 * lengths are taken from the largest entry on, so that neither 1e-300 nor
   1e200 becomes 0 or Inf on the way
 * all of it runs in blocks: beside the unit rows themselves nothing grows
   with the number of files or trials
 * a row without a direction is refused by its name

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import numpy as np

from speechbrain_moe.errors import InputError

BLOCK = 4096  # rows or trials at a time: a few MB, which stay in the cache


def unit_rows(embeddings, names=None, dtype=np.float64) -> np.ndarray:
    """Give each row at length one, worked out in float64.

    Arguments
    ---------
    embeddings : array_like
        One row each, any length above 0, [U, D], any float type.
    names : sequence of str, optional
        What each row is of, U of them, for messages. Default: its number.
    dtype : type
        Of the result: float64, or float32 for large products.

    Returns
    -------
    numpy.ndarray
        [U, D], each row of length 1.

    Raises
    ------
    InputError
        If there are not U rows, or one is zero or not finite; names it.

    Example
    -------
    >>> unit_rows([[3.0, 4.0]])
    array([[0.6, 0.8]])
    """
    rows = np.asarray(embeddings)
    if rows.ndim != 2 or len(rows) != len(rows if names is None else names):
        wanted = "U" if names is None else len(names)
        raise InputError(
            f"embeddings have shape {rows.shape}; wanted [{wanted}, D], one "
            "row per id"
        )
    peaks = np.maximum(rows.max(1, initial=0.0), -rows.min(1, initial=0.0))
    peaks = peaks.astype(np.float64)
    _check_peaks(peaks, names)
    units = np.empty(rows.shape, dtype=dtype)
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        block = rows[part] / peaks[part, None]
        units[part] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return units


def rows_of(ids, *sides) -> tuple[np.ndarray, ...]:
    """Give the row of each path of each side.

    Arguments
    ---------
    ids : sequence of str
        Path of each row, all distinct.
    *sides : sequence of str
        Paths to look up, each among ids.

    Returns
    -------
    tuple of numpy.ndarray
        Row numbers, int64, one array for each side.

    Raises
    ------
    InputError
        If an id comes twice or a path has no row; names the first.

    Example
    -------
    >>> rows_of(["a.wav", "b.wav"], ["b.wav", "a.wav", "b.wav"])
    (array([1, 0, 1]),)
    """
    rows = {path: row for row, path in enumerate(ids)}
    if len(rows) != len(ids):
        raise InputError(
            f"{len(ids) - len(rows)} ids come more than once; give one "
            "embedding per file"
        )
    wanted = dict.fromkeys(path for side in sides for path in side)
    missing = [path for path in wanted if path not in rows]
    if missing:
        raise InputError(
            f"{len(missing)} files of the trials have no embedding, the "
            f"first is {missing[0]}; embed them, or check that the ids are "
            "written as in the trial list"
        )
    return tuple(
        np.fromiter((rows[p] for p in side), dtype=np.int64, count=len(side))
        for side in sides
    )


def row_cosines(units, left, right) -> np.ndarray:
    """Give the cosine of pairs of rows of length one.

    Arguments
    ---------
    units : numpy.ndarray
        Rows of length one, [U, D] float64.
    left, right : numpy.ndarray
        Row numbers of the two sides, [N] int64.

    Returns
    -------
    numpy.ndarray
        In [-1, 1], [N] float64.

    Example
    -------
    >>> row_cosines(np.eye(2), np.array([0, 0]), np.array([0, 1]))
    array([1., 0.])
    """
    scores = np.empty(len(left), dtype=np.float64)
    for start in range(0, len(left), BLOCK):
        part = slice(start, start + BLOCK)
        scores[part] = np.einsum(
            "nd,nd->n", units[left[part]], units[right[part]]
        )
    return np.clip(scores, -1.0, 1.0)  # rounding may step over by 1e-16


def _check_peaks(peaks, names):
    """Refuse rows whose largest entry leaves them no direction."""
    usable = np.isfinite(peaks) & (peaks > 0)
    if usable.all():
        return
    bad = int(np.argmin(usable))
    name = f"row {bad}" if names is None else names[bad]
    what = "zero" if peaks[bad] == 0 else "not finite (NaN or Inf)"
    raise InputError(
        f"the embedding of {name} is {what} "
        f"({np.count_nonzero(~usable)} of {len(peaks)} cannot be used); "
        "is the audio silent or broken? Mend or leave out the file"
    )
