"""How much of a conversation is told wrongly.

 * the diarization error rate of NIST's evaluations, in its three parts
 * speakers of the answer are matched with those of the reference one to one,
   so that most speech is right; names do not matter
 * by cells of 10 ms, so within a cell of the exact figure

Shape letters: F cells, R speakers of the reference, H of the answer.

Authors
 * The speechbrain_moe developers 2026
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from speechbrain_moe.errors import InputError

CELL_S = 0.01


class DiarizationError(NamedTuple):
    """Seconds told wrongly, and seconds of speech.

    Arguments
    ---------
    missed_s : float
        Speech that was told as silence.
    false_alarm_s : float
        Silence that was told as speech.
    confused_s : float
        Speech that was told as another speaker's.
    speech_s : float
        Speech in the reference, over all its speakers.

    Example
    -------
    >>> DiarizationError(1.0, 0.5, 0.5, 10.0).rate
    20.0
    """

    missed_s: float
    false_alarm_s: float
    confused_s: float
    speech_s: float

    @property
    def rate(self):
        """The diarization error rate in %; above 100 is possible."""
        wrong_s = self.missed_s + self.false_alarm_s + self.confused_s
        return 100 * wrong_s / self.speech_s


def diarization_error(reference, answer, collar_s=0.0):
    """Compare who spoke when with who was told to.

    Fiscus et al., "The Rich Transcription 2006 Spring Meeting Recognition
    Evaluation", 2006, section 4.

    Arguments
    ---------
    reference, answer : list of tuple
        (start_s, end_s, speaker) each; several may speak at a time.
    collar_s : float
        What is left out on both sides of the reference's starts and ends.

    Returns
    -------
    DiarizationError
        In seconds of what was not left out.

    Raises
    ------
    InputError
        If there is no speech in the reference, outside of the collars.

    Example
    -------
    >>> truth = [(0.0, 6.0, "ann"), (6.0, 10.0, "bob")]
    >>> diarization_error(truth, [(0.0, 7.0, "1"), (7.0, 10.0, "2")]).rate
    10.0
    """
    ends = [end for _, end, _ in [*reference, *answer]]
    n_cells = round(max(ends, default=0) / CELL_S)
    scored = np.ones(n_cells, dtype=bool)
    for edge in [edge for start, end, _ in reference for edge in (start, end)]:
        near = cells_of(edge - collar_s, edge + collar_s)
        scored[near] = False
    truth = active(reference, n_cells)[scored]
    told = active(answer, n_cells)[scored]
    if not truth.any():
        raise InputError(
            "there is no speech in the reference outside of the collars; "
            "give one with speech"
        )
    n_true, n_told = truth.sum(1), told.sum(1)
    together = truth.T.astype(np.float64) @ told
    right = together[linear_sum_assignment(-together)].sum()
    cells = (
        np.maximum(n_true - n_told, 0).sum(),
        np.maximum(n_told - n_true, 0).sum(),
        np.minimum(n_true, n_told).sum() - right,
        n_true.sum(),
    )
    return DiarizationError(*(float(round(n * CELL_S, 2)) for n in cells))


def active(segments, n_cells):
    """Whether each speaker speaks in each cell, bool [F, R or H]."""
    names = sorted({speaker for _, _, speaker in segments})
    speaks = np.zeros((n_cells, len(names)), dtype=bool)
    for start, end, speaker in segments:
        speaks[cells_of(start, end), names.index(speaker)] = True
    return speaks


def cells_of(start, end):
    """The cells from one time to another, as a slice."""
    return slice(max(0, round(start / CELL_S)), max(0, round(end / CELL_S)))
