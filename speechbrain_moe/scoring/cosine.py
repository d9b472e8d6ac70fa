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


def unit_rows(embeddings, names=None) -> np.ndarray:
    """Give each row at length one.

    Arguments
    ---------
    embeddings : array_like
        One row each, any length above 0, [U, D], any float type.
    names : sequence of str, optional
        What each row is of, U of them, for messages. Default: its number.

    Returns
    -------
    numpy.ndarray
        [U, D] float64, each row of length one.

    Raises
    ------
    InputError
        If there are not U rows, or one is zero or not finite; names it.

    Example
    -------
    >>> unit_rows([[3.0, 4.0]])
    array([[0.6, 0.8]])
    """
    rows = _checked_rows(embeddings, names)
    peaks = np.maximum(rows.max(1, initial=0.0), -rows.min(1, initial=0.0))
    peaks = peaks.astype(np.float64)
    _check_peaks(peaks, names)
    units = np.empty(rows.shape, dtype=np.float64)
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        block = rows[part] / peaks[part, None]
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        units[part] = block
    return units


def unit_sides(embeddings, ids, *sides) -> tuple[np.ndarray, ...]:
    """Give the files that are on a side at length one, and where each is.

    Arguments
    ---------
    embeddings : array_like
        One row per file, any length above 0, [U, D], any float type.
    ids : sequence of str
        Path of each row, U distinct ones.
    *sides : sequence of str
        Paths to look up, each among ids.

    Returns
    -------
    tuple of numpy.ndarray
        Rows of length one, [V, D] float64, of the V files on any side, in
        the order of ids; then the row numbers of each side, int64.

    Raises
    ------
    InputError
        If there are not U rows, an id comes twice, a path has no row, or
        the row of one is zero or not finite; names the first.

    Example
    -------
    >>> rows = [[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]
    >>> unit_sides(rows, ["a.wav", "b.wav", "c.wav"], ["c.wav", "b.wav"])
    (array([[0., 1.], [1., 0.]]), array([1, 0]))
    """
    rows = _checked_rows(embeddings, ids)
    rows_by_id = {path: row for row, path in enumerate(ids)}
    if len(rows_by_id) != len(ids):
        raise InputError(
            f"{len(ids) - len(rows_by_id)} ids come more than once; give one "
            "embedding per file"
        )
    sides = [_rows_of(side, rows_by_id) for side in sides]
    used = np.unique(np.concatenate(sides))  # a list may hold few files
    units = unit_rows(rows[used], [ids[row] for row in used])
    return (units, *(np.searchsorted(used, side) for side in sides))


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


def _checked_rows(embeddings, names):
    """Return embeddings as an array [U, D], one row per name."""
    rows = np.asarray(embeddings)
    if rows.ndim != 2 or len(rows) != len(rows if names is None else names):
        wanted = "U" if names is None else len(names)
        raise InputError(
            f"embeddings have shape {rows.shape}; wanted [{wanted}, D], one "
            "row per id"
        )
    return rows


def _rows_of(side, rows):
    """Return the row of each path, or name the first that has none."""
    missing = [path for path in dict.fromkeys(side) if path not in rows]
    if missing:
        raise InputError(
            f"{len(missing)} files of the trials have no embedding, the "
            f"first is {missing[0]}; embed them, or check that the ids are "
            "written as in the trial list"
        )
    return np.array([rows[path] for path in side], dtype=np.int64)


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
