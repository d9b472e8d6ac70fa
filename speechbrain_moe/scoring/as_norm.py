"""Adaptive score normalisation (AS-norm) of whole trial lists.

 * one product with the cohort per block of files and one partition, rather
   than a loop over trials: statistics belong to a file, not to a trial
 * in float64: float32 would halve the time of the product, a second or two
   of 145 000 files, and move scores by 1e-5
 * what the cohort should be: cohort.py

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.cosine import (
    row_cosines,
    unit_rows,
    unit_sides,
)
from speechbrain_moe.scoring.trials import Trials, check_sides

logger = logging.getLogger(__name__)

BLOCK = 256  # files compared with the cohort at a time: 12 MB at 6 000
MIN_STD = 1e-3  # of cosines; 6 000 random 192-d vectors give 0.02


class CohortStatistics(NamedTuple):
    """How alike each file is to the cohort speakers nearest to it.

    Arguments
    ---------
    mean : numpy.ndarray
        Mean of its top_n highest cosines with the cohort, [U] float64.
    std : numpy.ndarray
        Their standard deviation (n, not n - 1, below the sum), at least
        MIN_STD, [U] float64.

    Example
    -------
    >>> CohortStatistics(np.array([0.2, 0.3]), np.array([0.1, 0.1])).of([1])
    CohortStatistics(mean=array([0.3]), std=array([0.1]))
    """

    mean: np.ndarray
    std: np.ndarray

    def of(self, rows) -> CohortStatistics:
        """Give the statistics of these rows, in their order.

        Arguments
        ---------
        rows : array_like
            Row numbers, [n].

        Returns
        -------
        CohortStatistics
            mean and std, [n] each.

        Example
        -------
        >>> table = CohortStatistics(np.array([0.2, 0.3]), np.array([1, 2]))
        >>> table.of([1, 1]).mean
        array([0.3, 0.3])
        """
        return CohortStatistics(self.mean[rows], self.std[rows])


class NormalisedScores(NamedTuple):
    """The scores of a trial list before and after AS-norm.

    Arguments
    ---------
    cosine : numpy.ndarray
        In [-1, 1], [n_trials] float64.
    as_norm : numpy.ndarray
        In standard deviations above the cohort, [n_trials] float64.

    Example
    -------
    >>> NormalisedScores(np.array([0.6]), np.array([5.1])).as_norm
    array([5.1])
    """

    cosine: np.ndarray
    as_norm: np.ndarray


def cohort_statistics(embeddings, cohort, top_n: int = 300) -> CohortStatistics:
    """Give mean and std of each file's top_n cosines with the cohort.

    Arguments
    ---------
    embeddings : array_like
        One row per file, any length above 0, [U, D].
    cohort : array_like
        One row per cohort speaker (speaker_means), [N, D], N >= 2.
    top_n : int
        Cosines that count, >= 2; with fewer speakers than that, all count
        and the log says so.

    Returns
    -------
    CohortStatistics
        mean, std, [U] float64 each.

    Raises
    ------
    InputError
        If shapes differ, a row is zero or not finite (names it), or top_n
        or N is below 2.

    Example
    -------
    >>> cohort_statistics([[1.0, 0.0]], np.eye(2), top_n=2)
    CohortStatistics(mean=array([0.5]), std=array([0.5]))
    """
    return _nearest_statistics(unit_rows(embeddings), cohort, top_n)


def as_norm(
    scores, enrol: CohortStatistics, test: CohortStatistics
) -> np.ndarray:
    """Give scores in standard deviations above either side's cohort.

    Adaptive s-norm of type 1: each side takes the cohort speakers nearest
    to itself. P. Matejka, O. Novotny, O. Plchot, L. Burget, M. Diez Sanchez
    and J. Cernocky, "Analysis of Score Normalization in Multilingual
    Speaker Recognition", Interspeech 2017, doi 10.21437/Interspeech.2017-803

    Arguments
    ---------
    scores : array_like
        Cosines, [n_trials].
    enrol, test : CohortStatistics
        Of the two sides of each trial, [n_trials] each.

    Returns
    -------
    numpy.ndarray
        ((s - enrol.mean) / enrol.std + (s - test.mean) / test.std) / 2,
        [n_trials] float64.

    Raises
    ------
    InputError
        If shapes differ or a result is not finite; names the trial.

    Example
    -------
    >>> side = CohortStatistics(np.array([0.2]), np.array([0.1]))
    >>> as_norm([0.5], side, side).round(6)
    array([3.])
    """
    scores = np.asarray(scores, dtype=np.float64)
    shapes = {np.shape(part) for part in (scores, *enrol, *test)}
    if len(shapes) > 1:
        raise InputError(
            f"{len(scores)} scores for statistics of {len(enrol.mean)} and "
            f"{len(test.mean)} sides; give those of each trial, see of()"
        )
    normalised = 0.5 * (
        (scores - enrol.mean) / enrol.std + (scores - test.mean) / test.std
    )
    _check_finite(normalised)
    return normalised


def as_norm_trials(
    embeddings, ids, trials: Trials, cohort, top_n: int = 300
) -> NormalisedScores:
    """Score a trial list by cosine, and normalise the scores by AS-norm.

    Arguments
    ---------
    embeddings : array_like
        One row per file, any length above 0, [U, D], any float type.
    ids : sequence of str
        Relative path of each row, U distinct ones.
    trials : Trials
        Both sides of every trial must be among ids.
    cohort, top_n
        As for cohort_statistics; check_cohort says if they may be used.

    Returns
    -------
    NormalisedScores
        cosine and as_norm, [n_trials] float64 each.

    Raises
    ------
    InputError
        As trial_scores and cohort_statistics.

    Example
    -------
    >>> trials = Trials(np.array([1]), ["a/1.wav"], ["a/2.wav"])
    >>> rows, ids = [[1.0, 0.0], [0.6, 0.8]], ["a/1.wav", "a/2.wav"]
    >>> scores = as_norm_trials(rows, ids, trials, np.eye(2), top_n=2)
    >>> scores.cosine.round(4), scores.as_norm.round(4)
    (array([0.6]), array([-0.4]))
    """
    check_sides(trials)
    units, *sides = unit_sides(embeddings, ids, trials.enrol, trials.test)
    cosine = row_cosines(units, *sides)
    statistics = _nearest_statistics(units, cohort, top_n)
    enrol, test = map(statistics.of, sides)
    return NormalisedScores(cosine, as_norm(cosine, enrol, test))


def _check_finite(normalised):
    """Refuse NaN and Inf, and name the first trial that has one."""
    finite = np.isfinite(normalised)
    if not finite.all():
        raise InputError(
            f"trial {int(np.argmin(finite))} is not finite after AS-norm; "
            "its score must be finite, its std finite and above 0"
        )


def _nearest_statistics(units, cohort, top_n):
    """Return the statistics of rows of length one."""
    cohort = _unit_cohort(cohort, units.shape[1])
    top_n = _clamped(top_n, len(cohort))
    mean, std = np.empty((2, len(units)))
    for start in range(0, len(units), BLOCK):
        part = slice(start, start + BLOCK)
        cosines = units[part] @ cohort.T
        cosines.partition(len(cohort) - top_n, axis=1)
        nearest = cosines[:, -top_n:]
        mean[part], std[part] = nearest.mean(1), nearest.std(1)
    return CohortStatistics(mean, np.maximum(std, MIN_STD))


def _unit_cohort(cohort, emb_dim):
    """Return the cohort at length one; refuse what cannot be it."""
    shape = np.shape(cohort)
    if len(shape) != 2 or shape[0] < 2 or shape[1] != emb_dim:
        raise InputError(
            f"the cohort has shape {shape}; wanted [N, {emb_dim}], one row "
            "for each of 2 speakers or more (see speaker_means)"
        )
    names = [f"cohort row {row}" for row in range(shape[0])]
    return unit_rows(cohort, names)


def _clamped(top_n, n_cohort):
    """Return how many cohort speakers count."""
    if top_n < 2:
        raise InputError(
            f"top_n is {top_n}; give 2 or more, 300 is usual: one cosine "
            "has no standard deviation"
        )
    if top_n > n_cohort:
        logger.info("all %d cohort speakers count, not %d", n_cohort, top_n)
    return min(top_n, n_cohort)
