"""Error rates of groups of the trials, by metadata and by duration.

 * one threshold for all groups: that of the dev speakers where there is one
 * words, and numbers that belong to the speaker (age), group a trial where
   both sides agree; numbers of the file (duration) by the smaller side
 * subgroups.csv holds every number, subgroups.md is for reading

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

import numpy as np
import pandas as pd

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.card_numbers import as_table
from speechbrain_moe.report.routing_attributes import (
    join_metadata,
    read_metadata,
)
from speechbrain_moe.scoring.groups import bin_values, trial_groups
from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.speakers import speakers_of
from speechbrain_moe.scoring.subgroups import subgroup_table

USUAL = ("gender", "age")  # shown where a table has them and none are named
MOST_WORDS = 8  # a column with more numbers than these is cut into bins
HEADER = ("group", "trials", "targets", "speakers", "EER %")
HEADER = (*HEADER, "misses %", "false alarms %", "note")


def check_columns(metadata, columns):
    """Refuse a table that will not do, before anything is computed.

    Arguments
    ---------
    metadata : str or None
        csv with path or spk_id.
    columns : sequence of str
        Columns to show.

    Raises
    ------
    InputError
        If the table cannot be used, lacks a column or is not given.
    """
    if metadata:
        read_metadata(metadata, columns)
    elif columns:
        raise InputError("--columns are those of a table; give --metadata too")


def file_values(found, metadata=None, columns=()):
    """What is known of each file.

    Arguments
    ---------
    found : FileEmbeddings
        Its paths and duration_s are read.
    metadata : str, optional
        csv with path or spk_id.
    columns : sequence of str
        Its columns; by default gender and age, as far as there.

    Returns
    -------
    pandas.DataFrame
        One row a file, indexed by path; duration_s and the columns.

    Raises
    ------
    InputError
        If the table cannot be used, or lacks a column.
    """
    values = pd.DataFrame({"duration_s": found.quality["duration_s"]})
    if metadata:
        table = read_metadata(metadata, columns)
        columns = columns or [name for name in USUAL if name in table]
        values[[*columns]] = join_metadata(found.paths, table)[[*columns]]
    return values.set_index(pd.Index(found.paths))


def groups_of(trials, values):
    """Group of each trial by one column.

    Arguments
    ---------
    trials : Trials
        What was compared.
    values : pandas.Series
        Of each file, indexed by path; NaN where unknown.

    Returns
    -------
    list of str
        One a trial.

    Example
    -------
    >>> from speechbrain_moe.scoring.trials import Trials
    >>> trials = Trials(np.array([0]), ["a/s/1.wav"], ["b/s/1.wav"])
    >>> sexes = pd.Series(["f", "m"], index=[*trials.enrol, *trials.test])
    >>> groups_of(trials, sexes)
    ['mixed']
    """
    numbers = pd.to_numeric(values, errors="coerce")
    is_number = numbers.notna().equals(values.notna())
    if is_number and numbers.nunique() > MOST_WORDS:
        unit = "s" if str(values.name).endswith("_s") else ""
        speakers = np.array(speakers_of(values.index))
        if (numbers.groupby(speakers).nunique() > 1).any():
            sides = numbers[trials.enrol], numbers[trials.test]
            # NaN on one side makes the trial unknown
            smaller = np.minimum(*(side.to_numpy() for side in sides))
            return bin_values(smaller, unit=unit)
        values = pd.Series(bin_values(numbers, unit=unit), values.index)
    values = values.astype(object)
    return trial_groups(
        values[trials.enrol].tolist(), values[trials.test].tolist()
    )


def subgroup_tables(trials, scores, values, threshold=None):
    """Error rates of the groups of every column.

    Arguments
    ---------
    trials : Trials
        What was compared.
    scores : np.ndarray
        One a trial.
    values : pandas.DataFrame
        What ``file_values`` returned.
    threshold : float, optional
        Of other speakers; by default that of the list's own EER.

    Returns
    -------
    dict of SubgroupTable
        By column.
    """
    if threshold is None:
        threshold = equal_error_rate(trials.labels, scores).threshold
    speakers = speakers_of(trials.enrol), speakers_of(trials.test)
    return {
        name: subgroup_table(
            trials.labels,
            scores,
            groups_of(trials, values[name]),
            *speakers,
            threshold,
        )
        for name in values
    }


def write_subgroups(folder, tables, origin):
    """Write subgroups.csv and subgroups.md.

    Arguments
    ---------
    folder : Path
        Where to.
    tables : dict of SubgroupTable
        By column.
    origin : str
        Which scores and threshold, in words.
    """
    rows = [
        {"column": name, **row._asdict()}
        for name, table in tables.items()
        for row in table.rows
    ]
    text = pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
    write_whole(Path(folder) / "subgroups.csv", text)
    parts = [f"Error rates by group: {origin}.\n"]
    parts += [as_markdown(name, table) for name, table in tables.items()]
    write_whole(Path(folder) / "subgroups.md", "\n".join(parts))


def as_markdown(name, table):
    """One column's groups, with the gap in a sentence.

    Arguments
    ---------
    name : str
        The column.
    table : SubgroupTable
        Its groups.

    Returns
    -------
    str
        Heading, table and sentence.
    """
    lines = [HEADER]
    for row in table.rows:
        counts = row.n_trials, row.n_targets, row.n_speakers
        rates = [
            in_percent(row.eer, row.eer_low, row.eer_high, 1),
            in_percent(row.p_miss, row.p_miss_low, row.p_miss_high, 100),
            in_percent(row.p_fa, row.p_fa_low, row.p_fa_high, 100),
        ]
        lines.append([row.group, *map(str, counts), *rates, row.note])
    return f"## {name}\n\n{as_table(lines)}\n\n{gap_sentence(table.gap)}\n"


def in_percent(value, low, high, factor):
    """A rate with its interval, as far as there is one."""
    if value is None:
        return ""
    said = f"{factor * value:.2f}"
    if low is None:
        return said
    return f"{said} [{factor * low:.2f}, {factor * high:.2f}]"


def gap_sentence(gap):
    """Worst less best in words."""
    if gap.eer is None:
        return f"No gap to tell: {gap.note}."
    return (
        f"Gap between best ({gap.best}) and worst ({gap.worst}): "
        f"{gap.eer:.2f} points of EER; at the one threshold up to "
        f"{100 * gap.p_miss:.2f} points of misses and {100 * gap.p_fa:.2f} of "
        f"false alarms ({gap.note})."
    )
