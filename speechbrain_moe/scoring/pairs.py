"""Trial lists whose labels may not be known.

 * "label enrol test" is read as ever; "enrol test" has no labels
 * scores are written as "label enrol test score", or without the label

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from speechbrain_moe.files import write_whole
from speechbrain_moe.scoring.trials import (
    TrialListError,
    Trials,
    _lines,
    read_trials,
)


def read_pairs(path) -> tuple[Trials, bool]:
    """Read a list with lines "enrol test" or "label enrol test".

    Arguments
    ---------
    path : str or Path
        Text file in UTF-8; its first line says which form it has.

    Returns
    -------
    trials : Trials
        With labels of 0 where there are none.
    labelled : bool
        Whether the list has labels.

    Raises
    ------
    TrialListError
        If the file is missing, not text, empty or malformed; names the line.

    Example
    -------
    >>> path = getfixture("tmp_path") / "pairs.txt"
    >>> _ = path.write_text("a.wav b.wav\\n")
    >>> trials, labelled = read_pairs(path)
    >>> trials.test, labelled
    (['b.wav'], False)
    """
    rows = [(n, x.split()) for n, x in enumerate(_lines(Path(path)), start=1)]
    rows = [(number, fields) for number, fields in rows if fields]
    if not rows or len(rows[0][1]) != 2:
        return read_trials(path), True
    for number, fields in rows:
        if len(fields) != 2:
            raise TrialListError(
                f"{path}:{number}: {len(fields)} fields; wanted two, 'enrol "
                "test', as in the first line, and no spaces in paths"
            )
    enrol, test = zip(*([*map(sys.intern, fields)] for _, fields in rows))
    zeros = np.zeros(len(rows), dtype=np.int64)
    return Trials(zeros, list(enrol), list(test)), False


def score_lines(trials: Trials, steps: dict, labelled: bool) -> list[str]:
    """Give a line for each trial: label if known, enrol, test, scores.

    Arguments
    ---------
    trials : Trials
        What was compared.
    steps : dict of numpy.ndarray
        Scores by name, [N] each.
    labelled : bool
        Whether the labels are known.

    Returns
    -------
    list of str
        A comment that names the scores comes first where there are several.

    Example
    -------
    >>> trials = Trials(np.array([1]), ["a.wav"], ["b.wav"])
    >>> score_lines(trials, {"cosine": [0.5], "llr": [2.0]}, labelled=True)
    ['# label enrol test cosine llr', '1 a.wav b.wav 0.500000 2.000000']
    """
    columns = {"enrol": trials.enrol, "test": trials.test}
    if labelled:
        columns = {"label": map(str, trials.labels), **columns}
    for name, scores in steps.items():
        columns[name] = [f"{score:.6f}" for score in scores]
    header = [f"# {' '.join(columns)}"] * (len(steps) > 1)
    return header + [" ".join(row) for row in zip(*columns.values())]


def write_score_lines(path, lines: list[str]) -> None:
    """Write what ``score_lines`` gave, whole or not at all.

    Arguments
    ---------
    path : str or Path
        File to write.
    lines : list of str
        Without line ends.

    Example
    -------
    >>> path = getfixture("tmp_path") / "scores.txt"
    >>> write_score_lines(path, ["1 a.wav b.wav 0.500000"])
    >>> path.read_text()
    '1 a.wav b.wav 0.500000\\n'
    """
    write_whole(path, "".join(f"{line}\n" for line in lines))
