"""The speakers of trials, read from their paths, as in VoxCeleb's lists.

 * "speaker/session/utterance", below any number of other folders
 * a list whose labels contradict its speakers is refused

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.trials import TrialListError, Trials


def speakers_of(paths) -> list[str]:
    """Give the speaker of each "speaker/session/utterance" path.

    Arguments
    ---------
    paths : iterable of str
        Relative paths with forward slashes, as in VoxCeleb's lists.

    Returns
    -------
    list of str
        The third component from the end, or the first of shorter paths.

    Raises
    ------
    InputError
        If a path has no folder, so that no speaker can be read from it.

    Example
    -------
    >>> speakers_of(["id10270/x6uYqmx31kE/00001.wav"])
    ['id10270']
    """
    speakers = []
    for path in paths:
        parts = path.split("/")
        speaker = parts[max(0, len(parts) - 3)]
        if len(parts) < 2 or not speaker:
            raise InputError(
                f"no speaker in the path {path!r}; the paths of a list are "
                "<speaker>/<session>/<file> or <speaker>/<file>"
            )
        speakers.append(speaker)
    return speakers


def check_labels(trials: Trials) -> None:
    """Raise unless there are both classes and labels agree with speakers.

    Arguments
    ---------
    trials : Trials
        Their paths name the speakers.

    Raises
    ------
    TrialListError
        If a class is missing, or a label contradicts its two speakers;
        names the first such trial.

    Example
    -------
    >>> import numpy as np
    >>> check_labels(Trials(np.array([0]), ["a/s/1.wav"], ["a/s/2.wav"]))
    Traceback (most recent call last):
    ...
    speechbrain_moe.scoring.trials.TrialListError: trial "0 a/s/1.wav
    a/s/2.wav" says different speakers, its paths the same; correct the ...
    """
    sides = zip(speakers_of(trials.enrol), speakers_of(trials.test))
    for i, (enrol, test) in enumerate(sides):
        if (enrol == test) != bool(trials.labels[i]):
            words = ("different speakers", "the same")
            raise TrialListError(
                f'trial "{trials.labels[i]} {trials.enrol[i]} '
                f'{trials.test[i]}" says {words[trials.labels[i]]}, its '
                f"paths {words[1 - trials.labels[i]]}; correct the list, or "
                "write its paths as <speaker>/<session>/<file>"
            )
    if len(set(trials.labels.tolist())) < 2:
        raise TrialListError(
            "the trial list holds one class only; an EER needs trials of the "
            "same speaker (label 1) and of different ones (label 0)"
        )
