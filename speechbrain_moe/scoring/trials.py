"""Trial lists: read, write, check, and score by cosine.

 * the file form is VoxCeleb's: "label enrol test", 1 for the same speaker
 * errors name the file, the line and what to do, before anything is scored
 * a list is written whole or not at all
 * scoring is one gather and one product per block of trials, in float64

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.scoring.cosine import row_cosines, unit_sides


class TrialListError(InputError):
    """A trial list that cannot be used; the message says how to mend it.

    Example
    -------
    >>> issubclass(TrialListError, InputError)
    True
    """


class Trials(NamedTuple):
    """Comparisons to be made.

    Arguments
    ---------
    labels : numpy.ndarray
        1 for target, 0 for nontarget, [N] int64.
    enrol, test : list of str
        Relative paths of the two sides, N each.

    Example
    -------
    >>> Trials(np.array([1]), ["a/1.wav"], ["a/2.wav"]).enrol
    ['a/1.wav']
    """

    labels: np.ndarray
    enrol: list[str]
    test: list[str]


def read_trials(path) -> Trials:
    """Read a list with lines "label enrol test" or blank, as VoxCeleb's.

    Arguments
    ---------
    path : str or Path
        Text file in UTF-8, for instance veri_test2.txt.

    Returns
    -------
    Trials
        labels [N] int64, enrol and test; one class may be missing.

    Raises
    ------
    TrialListError
        If the file is missing, not text, empty or malformed; names the line.

    Example
    -------
    >>> path = getfixture("tmp_path") / "trials.txt"
    >>> write_trials(path, Trials(np.array([0]), ["a/1.wav"], ["b/1.wav"]))
    >>> read_trials(path).test
    ['b/1.wav']
    """
    rows = [
        _parse_line(path, number, line)
        for number, line in enumerate(_lines(Path(path)), start=1)
        if line.strip()
    ]
    if not rows:
        raise TrialListError(
            f"{path} holds no trials; wanted lines 'label enrol test'. "
            "Fetch or make the list again"
        )
    labels, enrol, test = zip(*rows)
    return Trials(np.array(labels, dtype=np.int64), list(enrol), list(test))


def write_trials(path, trials: Trials) -> None:
    """Write a list that read_trials reads back, whole or not at all.

    Arguments
    ---------
    path : str or Path
        File to write; an older one is replaced at the end.
    trials : Trials
        Paths in it must not hold white space.

    Raises
    ------
    TrialListError
        If the sides differ in length, or read_trials would refuse a line.

    Example
    -------
    >>> path = getfixture("tmp_path") / "trials.txt"
    >>> write_trials(path, Trials(np.array([0]), ["a/1.wav"], ["b/1.wav"]))
    >>> path.read_text()
    '0 a/1.wav b/1.wav\\n'
    """
    check_sides(trials)
    for side in (*trials.enrol, *trials.test):
        if side.split() != [side]:
            raise TrialListError(
                f"the path {side!r} is empty or holds white space, which a "
                "trial list cannot; rename the file"
            )
    text = "".join(f"{int(y)} {e} {t}\n" for y, e, t in zip(*trials))
    write_whole(path, text)


def check_trial_files(
    trials: Trials, folder, folder_key: str = "data_folder"
) -> None:
    """Raise unless every file of the list stands in the folder.

    Arguments
    ---------
    trials : Trials
        Each distinct path in it is looked up once.
    folder : str or Path
        What the paths are relative to.
    folder_key : str
        Name of the yaml key that holds the folder, for the message.

    Raises
    ------
    TrialListError
        If the folder or a file is missing; names the first and the key.

    Example
    -------
    >>> trials = Trials(np.array([0]), ["a/1.wav"], ["b/1.wav"])
    >>> check_trial_files(trials, "/nowhere")
    Traceback (most recent call last):
    ...
    speechbrain_moe.scoring.trials.TrialListError: folder /nowhere ...
    """
    if not os.path.isdir(folder):
        raise TrialListError(
            f"folder {folder} does not exist; correct {folder_key}"
        )
    paths = dict.fromkeys([*trials.enrol, *trials.test])
    missing = [p for p in paths if not os.path.isfile(os.path.join(folder, p))]
    if missing:
        raise TrialListError(
            f"{len(missing)} of {len(paths)} files of the trial list are "
            f"missing in {folder}, the first is {missing[0]}. Correct "
            f"{folder_key} (the paths of the list are relative to it) or "
            "unpack the missing files there"
        )


def trial_scores(embeddings, ids, trials: Trials) -> np.ndarray:
    """Score trials by the cosine of their two embeddings.

    Arguments
    ---------
    embeddings : array_like
        One row per file, any length, [U, D], any float type.
    ids : sequence of str
        Relative path of each row, U distinct ones.
    trials : Trials
        Both sides of every trial must be among ids.

    Returns
    -------
    numpy.ndarray
        Scores in [-1, 1], [N] float64.

    Raises
    ------
    InputError
        If shapes differ, an id comes twice, or the embedding of a side is
        missing, zero or not finite; names the file.

    Example
    -------
    >>> trials = Trials(np.array([1]), ["a/1.wav"], ["a/2.wav"])
    >>> trial_scores([[1.0, 0.0], [2.0, 0.0]], ["a/1.wav", "a/2.wav"], trials)
    array([1.])
    """
    check_sides(trials)
    return row_cosines(*unit_sides(embeddings, ids, trials.enrol, trials.test))


def _lines(path):
    """Return the lines of a text file, or say why there are none."""
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "missing"
        raise TrialListError(
            f"trial list {path} is {kind}; give the path of a text file "
            "with lines 'label enrol test'"
        )
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise TrialListError(
            f"trial list {path} is not UTF-8 text ({error}); is it still "
            "packed, or an audio file?"
        ) from error


def _parse_line(path, number, line):
    """Return label, enrol and test of one line."""
    fields = line.split()
    if len(fields) != 3:
        raise TrialListError(
            f"{path}:{number}: {len(fields)} fields in {line.strip()!r}; "
            "wanted three, 'label enrol test', and no spaces in paths"
        )
    if fields[0] not in ("0", "1"):
        raise TrialListError(
            f"{path}:{number}: label {fields[0]!r}; wanted 1 (same speaker) "
            "or 0 first, then the two paths"
        )
    # a path is in many trials of a large list: keep one copy of each
    return int(fields[0]), sys.intern(fields[1]), sys.intern(fields[2])


def check_sides(trials):
    """Refuse trials whose parts do not belong together."""
    lengths = tuple(len(part) for part in trials)
    if len(set(lengths)) != 1:
        raise TrialListError(
            f"{lengths[0]} labels, {lengths[1]} enrol and {lengths[2]} test "
            "paths; a trial has one of each"
        )
    if not np.isin(trials.labels, (0, 1)).all():
        raise TrialListError("labels must be 1 (target) or 0 (nontarget)")
