"""The cohort of AS-norm: one mean embedding per speaker, none of the trials.

 * each embedding of a speaker counts the same, whatever its length
 * embeddings are read in blocks, so a memory-mapped file will do
 * a speaker who is in the trials is refused

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.cosine import BLOCK, unit_rows
from speechbrain_moe.scoring.speakers import speakers_of
from speechbrain_moe.scoring.trials import Trials


def speaker_means(embeddings, speakers) -> tuple[np.ndarray, list[str]]:
    """Give one embedding per speaker: the mean of his or hers, length one.

    Each embedding counts the same, whatever its length.

    Arguments
    ---------
    embeddings : array_like
        [U, D], any length above 0, any float type.
    speakers : sequence of str
        Speaker of each row, U of them.

    Returns
    -------
    means : numpy.ndarray
        [N, D] float64, each row of length one.
    names : list of str
        Speaker of each mean, sorted, N of them.

    Raises
    ------
    InputError
        If shapes differ, an embedding is zero or not finite, or those of
        a speaker cancel out; names the speaker and row.

    Example
    -------
    >>> means, names = speaker_means([[0, 2], [3, 0], [0, 1]], list("bab"))
    >>> names, means.tolist()
    (['a', 'b'], [[1.0, 0.0], [0.0, 1.0]])
    """
    embeddings = np.asarray(embeddings)
    if len(embeddings) != len(speakers):
        raise InputError(
            f"{len(embeddings)} embeddings of {len(speakers)} speakers; give "
            "the speaker of each row"
        )
    names = sorted(set(speakers))
    numbers = {name: number for number, name in enumerate(names)}
    ids = np.array([numbers[speaker] for speaker in speakers])
    sums = 0.0
    for start in range(0, len(ids), BLOCK):
        part = slice(start, start + BLOCK)
        files = [
            f"{s} in row {start + i}" for i, s in enumerate(speakers[part])
        ]
        units = unit_rows(embeddings[part], files)
        sums = sums + _indicator(ids[part], len(names)) @ units
    means = sums / np.bincount(ids)[:, None]
    # opposite embeddings leave rounding, 1e-17, and no direction
    means[np.abs(means).max(1) < 1e-12] = 0.0
    return unit_rows(
        means, [f"{name}, all taken together," for name in names]
    ), names


def check_cohort(names, trials: Trials) -> None:
    """Raise if a speaker of the cohort is in the trials.

    Such a cohort holds target scores among its highest cosines, and the
    trials would not be of unseen speakers.

    Arguments
    ---------
    names : sequence of str
        Speakers of the cohort, written as in the paths of the trials.
    trials : Trials
        Their paths name the speakers, as for speakers_of.

    Raises
    ------
    InputError
        If they share a speaker; names the first and how many.

    Example
    -------
    >>> trials = Trials(np.array([0]), ["a/s/1.wav"], ["b/s/1.wav"])
    >>> check_cohort(["b", "c"], trials)
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.InputError: 1 of 2 cohort speakers are in the
    trials, the first is b; take them out of the cohort
    """
    paths = {*trials.enrol, *trials.test}
    shared = sorted(set(names) & set(speakers_of(paths)))
    if shared:
        raise InputError(
            f"{len(shared)} of {len(set(names))} cohort speakers are in the "
            f"trials, the first is {shared[0]}; take them out of the cohort"
        )


def _indicator(ids, n_speakers):
    """Return the matrix that adds up the rows of each speaker."""
    ones, columns = np.ones(len(ids)), np.arange(len(ids))
    return csr_array((ones, (ids, columns)), (n_speakers, len(ids)))
