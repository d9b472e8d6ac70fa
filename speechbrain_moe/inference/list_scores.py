"""A trial list scored from its recordings.

 * each file is embedded once, however many trials it is in
 * the cosine of each trial, and its log-likelihood ratio where the model is
   calibrated
 * nothing is left out: a file that cannot be used is an error

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechbrain_moe.errors import AudioError
from speechbrain_moe.inference.list_embeddings import embed_recordings
from speechbrain_moe.scoring.pairs import read_pairs
from speechbrain_moe.scoring.trials import (
    Trials,
    check_trial_files,
    trial_scores,
)


class ListScores(NamedTuple):
    """Scores of a list.

    Arguments
    ---------
    trials : Trials
        What was compared; labels of 0 where they are not known.
    labelled : bool
        Whether the labels are known.
    steps : dict of np.ndarray
        cosine, and llr of a calibrated model, [N] float64 each.

    Example
    -------
    >>> trials = Trials(np.array([0]), ["a.wav"], ["b.wav"])
    >>> ListScores(trials, False, {"cosine": np.zeros(1)}).labelled
    False
    """

    trials: Trials
    labelled: bool
    steps: dict[str, np.ndarray]


def score_list(recognition, path, folder, out, batch_size=1):
    """Score the trials of a list.

    Arguments
    ---------
    recognition : MoESpeakerRecognition
        The model.
    path : str or Path
        Lines "label enrol test", or "enrol test".
    folder : str or Path
        What the list's paths are relative to.
    out : str or Path
        The result that the scores are for: embeddings are kept beside it,
        in ``<out>.parts``, until ``forget_parts``.
    batch_size : int
        Windows encoded at a time.

    Returns
    -------
    ListScores
        In the order of the list.

    Raises
    ------
    InputError
        If the list, its folder or one of its files cannot be used.
    """
    trials, labelled = read_pairs(path)
    check_trial_files(trials, folder, "--audio")
    paths = sorted({*trials.enrol, *trials.test})
    found = embed_recordings(recognition, paths, out, folder, batch_size)
    if found.broken:
        reasons = (f"{Path(folder) / p}: {r}" for p, r in found.broken.items())
        raise AudioError(
            f"{len(found.broken)} of {len(paths)} files cannot be used, leave "
            f"them out of {path}: {'; '.join(reasons)}"
        )
    steps = {"cosine": trial_scores(found.embeddings, found.paths, trials)}
    calibration = recognition.learnt.calibration
    if calibration is not None:
        steps["llr"] = calibration.apply({"cosine": steps["cosine"]})
    return ListScores(trials, labelled, steps)
