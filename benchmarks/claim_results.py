"""The stored results of the experiment: rows, and scores pooled over folds.

 * a row is a system on one fold and one trial list; its scores lie in a
   small npz beside the rows
 * folds are pooled by putting their trials together, so that one threshold
   holds for all of them; speakers are numbered across folds
 * two systems are only ever pooled on folds that both ran on
 * a broken line, a row stored twice and scores of other trials are refused

Authors
 * The speechbrain_moe developers 2026
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechbrain_moe.errors import InputError

NEEDED = ("system", "group", "fold", "list")


class Pooled(NamedTuple):
    """Trials of one or more folds, [N] each: what the metrics take."""

    labels: np.ndarray
    scores: np.ndarray
    enrol: np.ndarray
    test: np.ndarray


class Results:
    """Rows of a claim.jsonl, and the scores that they name.

    Arguments
    ---------
    path : str or Path
        File with a JSON object a line; scores are relative to its folder.

    Raises
    ------
    InputError
        If the file is missing, or a line is no row or stands there twice.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.all_rows = _read_rows(self.path)

    def systems(self, *groups):
        """Names of the systems in these groups, in alphabetical order."""
        rows = self.all_rows
        return sorted({r["system"] for r in rows if r["group"] in groups})

    def rows(self, group, system=None, trial_list=None):
        """The rows of a group that fit, in the order of their folds."""
        wanted = {"group": group, "system": system, "list": trial_list}
        found = [
            row
            for row in self.all_rows
            if all(row[k] == v for k, v in wanted.items() if v is not None)
        ]
        return sorted(found, key=lambda row: str(row["fold"]))

    def common_folds(self, group, systems, trial_list):
        """Folds on which each of the systems has scores."""
        ran = [
            {r["fold"] for r in self.rows(group, s, trial_list) if _scored(r)}
            for s in systems
        ]
        return sorted(set.intersection(*ran), key=str)

    def pooled(self, group, system, trial_list, folds):
        """Trials of a system on these folds, put together.

        Arguments
        ---------
        group, system, trial_list : str
            As in the rows.
        folds : list
            Folds that the system has scores of, one at least.

        Returns
        -------
        Pooled
            The folds in the order given.
        """
        rows = {r["fold"]: r for r in self.rows(group, system, trial_list)}
        parts = [self._scores(rows[fold]) for fold in folds]
        return Pooled(*map(np.concatenate, zip(*parts)))

    def pooled_pair(self, group, systems, trial_list, folds):
        """The same trials of two systems.

        Raises
        ------
        InputError
            If the two scored other trials.
        """
        first, second = (
            self.pooled(group, system, trial_list, folds) for system in systems
        )
        for name in ("labels", "enrol", "test"):
            if not np.array_equal(getattr(first, name), getattr(second, name)):
                raise InputError(
                    f"{systems[0]} and {systems[1]} scored other trials of "
                    f"{trial_list}, folds {folds} ({name} differ); score both "
                    "on the same list"
                )
        return first, second

    def endpoint(self):
        """Names of the endpoint's MoE and ECAPA, or None before they ran."""
        roles = {
            row.get("endpoint_role"): row["system"]
            for row in self.rows("main")
            if row.get("endpoint")
        }
        if not {"moe", "dense"} <= set(roles):
            return None
        return roles["moe"], roles["dense"]

    def _scores(self, row):
        """Trials and scores of one row."""
        path = self.path.parent / row["scores"]
        if not path.is_file():
            raise InputError(
                f"{path}: no such file, though {self.path} names it for "
                f"{row['system']}, fold {row['fold']}; restore it, or delete "
                "the row and score that fold again"
            )
        with np.load(path) as found:
            return Pooled(
                found["labels"].astype(np.int64),
                found["scores"].astype(np.float64),
                found["enrol_speaker"].astype(np.int64),
                found["test_speaker"].astype(np.int64),
            )


def label_of(row):
    """What a system is called in tables and plots."""
    return row.get("label", row["system"])


def _scored(row):
    """Whether the row came to scores; a failed attempt has none."""
    return bool(row.get("scores"))


def _read_rows(path):
    """Rows of a file; the message names the line that is none."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; run the experiment first")
    rows, seen = [], set()
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        row = _parse(f"{path}:{number}", line)
        key = tuple(row[name] for name in NEEDED)
        if key in seen:
            raise InputError(
                f"{path}:{number}: {key} stands there twice; keep one line"
            )
        seen.add(key)
        rows.append(row)
    return rows


def _parse(where, line):
    """One row, which has at least the NEEDED keys."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputError(
            f"{where}: not JSON ({error}); was writing broken off? Delete "
            "the line, the run that it was for is then done again"
        ) from error
    missing = [name for name in NEEDED if name not in row]
    if missing:
        raise InputError(f"{where}: no {', '.join(missing)} in the row")
    return row
