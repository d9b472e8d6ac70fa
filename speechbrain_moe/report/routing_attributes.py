"""What is known of each file, as labels that a route can be set against.

 * gender and age class come from a table, SNR and duration were measured
 * numbers become four bands of about as many files each
 * a table joins by path where it has one, else by speaker; its paths may
   have more folders in front than those of the trial list
 * files the table does not know are left out of that attribute, and counted

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from speechbrain_moe.errors import InputError
from speechbrain_moe.report.bands import bands
from speechbrain_moe.scoring.association import permutation_association
from speechbrain_moe.scoring.speakers import speakers_of

ADULT_AGE = 18  # years
MOST_VALUES = 40  # rows of one heatmap that a page can show
FIRST = ("gender", "age class")  # shown wherever the table has them
MEASURED = ("SNR, estimated", "duration")


def read_metadata(path, columns=()) -> pd.DataFrame:
    """Read a table of files or speakers.

    Arguments
    ---------
    path : str or Path
        CSV with a header; a column ``path`` or ``spk_id`` to join by.
    columns : sequence of str
        Columns that must be there.

    Returns
    -------
    pandas.DataFrame
        All columns as text, unknown values as NaN.

    Raises
    ------
    InputError
        If the file is missing or no CSV, or lacks rows or a column.

    Example
    -------
    >>> path = getfixture("tmp_path") / "meta.csv"
    >>> _ = path.write_text("spk_id,gender\\nid1,f\\n")
    >>> read_metadata(path)["gender"].tolist()
    ['f']
    """
    if not Path(path).is_file():
        raise InputError(f"metadata {path}: no such file; correct the path")
    try:
        # None and NA are values like others: of noise, or somebody's name
        plain = {"keep_default_na": False, "na_values": ["", "NaN", "nan"]}
        table = pd.read_csv(path, dtype=str, **plain)
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"metadata {path}: no CSV ({error})") from error
    if not {"path", "spk_id"} & set(table.columns):
        raise InputError(
            f"metadata {path} has neither a column path nor spk_id; give one "
            f"to join by (columns: {', '.join(table.columns)})"
        )
    if table.empty:
        raise InputError(f"metadata {path} has no rows; give another table")
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise InputError(
            f"metadata {path} has no column {missing[0]}; choose from "
            f"{', '.join(table.columns)}"
        )
    return table


def join_metadata(paths, table: pd.DataFrame) -> pd.DataFrame:
    """Find the row of each file.

    Arguments
    ---------
    paths : list of str
        Files as the trial list names them.
    table : pandas.DataFrame
        With a column ``path``, whose entries are these paths or end in
        them, or ``spk_id``.

    Returns
    -------
    pandas.DataFrame
        One row per path; all NaN where the table has none.

    Raises
    ------
    InputError
        If no file is found, or one is found twice.

    Example
    -------
    >>> table = pd.DataFrame({"path": ["test/a/s/1.wav"], "gender": ["f"]})
    >>> join_metadata(["a/s/1.wav"], table)["gender"].tolist()
    ['f']
    """
    if "path" in table:
        rows = _rows_by_path(paths, table["path"].tolist())
        kind, wanted = "path", paths[0]
    else:
        rows = _rows_by_speaker(paths, table["spk_id"].tolist())
        kind, wanted = "spk_id", speakers_of(paths[:1])[0]
    if all(row is None for row in rows):
        raise InputError(
            f"metadata: no {kind} fits a file of the trial list, such as "
            f"{wanted} (the table has {table[kind].iloc[0]}); give the table "
            "of these files"
        )
    found = table.reindex([-1 if row is None else row for row in rows])
    return found.reset_index(drop=True)


def _rows_by_path(paths, known):
    """Return the row whose path ends in each path, None where there is none."""
    wanted, rows = set(paths), {}
    for row, name in enumerate(known):
        parts = str(name).split("/")
        for start in range(len(parts)):
            ending = "/".join(parts[start:])
            if ending not in wanted:
                continue
            if ending in rows:
                raise InputError(
                    f"metadata: {known[rows[ending]]} and {name} both fit "
                    f"{ending}; keep one of them"
                )
            rows[ending] = row
    return [rows.get(path) for path in paths]


def _rows_by_speaker(paths, known):
    """Return the first row of each path's speaker, None where there is none."""
    rows = {}
    for row, speaker in enumerate(known):
        rows.setdefault(speaker, row)
    return [rows.get(speaker) for speaker in speakers_of(paths)]


def attributes_of(collected, table=None, columns=()) -> dict[str, pd.Series]:
    """Give each attribute of the report as one label per file.

    Arguments
    ---------
    collected : dict of numpy.ndarray
        Its duration_s and snr_db are read.
    table : pandas.DataFrame, optional
        What ``join_metadata`` returned.
    columns : sequence of str
        Columns of the table to show beside gender and age.

    Returns
    -------
    dict of pandas.Series
        Ordered categories by name of the attribute; NaN where unknown.

    Raises
    ------
    InputError
        As ``table_attributes``.

    Example
    -------
    >>> collected = {"duration_s": [1.0, 2.0], "snr_db": [20.0, 20.0]}
    >>> {k: v.nunique() for k, v in attributes_of(collected).items()}
    {'SNR, estimated': 1, 'duration': 2}
    """
    known = {} if table is None else table_attributes(table, columns)
    found = {name: known[name] for name in FIRST if name in known}
    found["SNR, estimated"] = bands(collected["snr_db"], "dB")
    found["duration"] = bands(collected["duration_s"], "s")
    return {**found, **known}


def table_attributes(table, columns=()) -> dict[str, pd.Series]:
    """Give the attributes that a table has, as one label per file.

    Arguments
    ---------
    table : pandas.DataFrame
        What ``join_metadata`` returned.
    columns : sequence of str
        Columns of the table to show beside gender and age.

    Returns
    -------
    dict of pandas.Series
        Ordered categories by name of the attribute; NaN where unknown.

    Raises
    ------
    InputError
        If a column has more than 40 values that are no numbers, or the name
        of an attribute that is measured or made from age.
    """
    found = {}
    if "age" in table:
        found["age class"] = _age_class(table["age"])
    taken = {*MEASURED, *found}
    if "gender" in table:
        found["gender"] = _labels("gender", table["gender"])
    for name in columns:
        if name in taken:
            raise InputError(
                f"metadata: column {name} has the name of what a report "
                "shows anyway; rename it"
            )
        found[name] = _labels(name, table[name])
    return found


def _age_class(ages):
    """Return child or adult; ages that are no numbers as they stand."""
    years = pd.to_numeric(ages, errors="coerce")
    if years.isna().all():
        return _labels("age", ages)
    names = [f"child, under {ADULT_AGE}", "adult"]
    classes = np.where(years < ADULT_AGE, *names)
    classes = pd.Series(classes, dtype=object).where(years.notna().to_numpy())
    return pd.Series(pd.Categorical(classes, names, ordered=True))


def _labels(name, values):
    """Return categories, or bands where there are many numbers."""
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().equals(values.notna()) and numbers.nunique() > 8:
        return bands(numbers)
    if values.nunique() > MOST_VALUES:
        raise InputError(
            f"metadata: column {name} has {values.nunique()} values; a "
            f"report shows {MOST_VALUES} at most, group them first"
        )
    return pd.Series(pd.Categorical(values, ordered=True))


def attribute_facts(
    routes, n_experts: int, speakers, attribute, n_permutations: int, seed: int
) -> dict:
    """Count routes by the values of one attribute, and test for a relation.

    Arguments
    ---------
    routes : numpy.ndarray
        Expert of each file [U].
    n_experts : int
        Experts of the gate, E.
    speakers : sequence of str
        Speaker of each file, U.
    attribute : pandas.Series
        Ordered categories [U].
    n_permutations : int
        Draws of the test.
    seed : int
        Seed of the draws.

    Returns
    -------
    dict
        values: V labels; counts [V][E]; shares [V][E], rows sum to 1;
        n_unknown; and, where there are two values or more,
        mutual_information and chance in nats, p_value, permuted.

    Example
    -------
    >>> sexes = pd.Series(pd.Categorical(["f", "m"], ordered=True))
    >>> attribute_facts(np.array([1, 0]), 2, [*"ab"], sexes, 9, 0)["counts"]
    [[0, 1], [1, 0]]
    """
    known = attribute.notna().to_numpy()
    values = attribute[known].cat.remove_unused_categories()
    counts = np.zeros((len(values.cat.categories), n_experts), dtype=int)
    np.add.at(counts, (values.cat.codes.to_numpy(), routes[known]), 1)
    facts = {
        "values": [str(value) for value in values.cat.categories],
        "counts": counts.tolist(),
        "shares": (counts / counts.sum(1, keepdims=True)).tolist(),
        "n_unknown": int(np.count_nonzero(~known)),
    }
    if len(counts) > 1:
        association = permutation_association(
            routes[known],
            values.cat.codes.to_numpy(),
            np.asarray(speakers)[known],
            n_permutations,
            seed,
        )
        facts.update(association._asdict())
    return facts
