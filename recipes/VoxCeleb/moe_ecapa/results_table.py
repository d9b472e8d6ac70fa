#!/usr/bin/env python3
"""Finished trainings side by side, from their folders.

    python results_table.py <output_folder> ...

 * one row a training, in the order given; every number is read from what
   train.py and verify.py wrote
 * below it, each training against the last by the paired test over speakers
 * then the gain of each scoring step, where verify.py took them all

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import csv
import json
import re
import sys
from datetime import datetime
from pathlib import Path

import pandas as pd
import ruamel.yaml
from scoring_data import MEAN_FILE
from step_metrics import steps_table

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.card_numbers import as_table, with_interval
from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.paired import paired_bootstrap
from speechbrain_moe.scoring.speakers import speakers_of

HEADER = (
    "system",
    "EER %",
    "minDCF(0.01)",
    "params, M",
    "active, M",
    "active MMACs, 3 s",
    "steps",
    "minutes",
    "scored on",
    "seed",
)
RUN_BEGINS = re.compile("(Loading|Would load) a checkpoint")


def read_row(folder, trial_list):
    """What a finished training says of itself.

    Arguments
    ---------
    folder : str or Path
        A training's output_folder.
    trial_list : str
        Name of the list that was scored, without its suffix.

    Returns
    -------
    list of str
        A cell for each entry of HEADER.

    Raises
    ------
    InputError
        If the training is not finished.
    """
    folder = Path(folder)
    path = folder / trial_list / "metrics.json"
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; give the output_folder of a finished "
            "training, and --list if it was scored on another list"
        )
    said = json.loads(path.read_text(encoding="utf-8"))
    with open(folder / "hyperparams.yaml", encoding="utf-8") as file:
        settings = ruamel.yaml.YAML().load(file)
    name, steps = name_of(settings), settings["n_epochs"]
    steps = str(steps * settings["steps_per_epoch"])
    if (folder / MEAN_FILE).is_file():
        name, steps = f"{name}, mean", "–"
    return [
        name,
        with_interval(said, "eer"),
        with_interval(said, "min_dcf_0.01"),
        f"{said['params'] / 1e6:.2f}",
        f"{said['active_params'] / 1e6:.2f}",
        f"{said['active_macs_3s'] / 1e6:.1f}",
        steps,
        training_minutes(folder / "log.txt"),
        said["device"],
        str(settings["seed"]),
    ]


def name_of(settings):
    """The system in words, from its settings.

    Arguments
    ---------
    settings : dict
        Plain values of a training yaml.

    Returns
    -------
    str
        Such as "MoE, 4 x C=64, top-2".
    """
    width = f"C={settings['expert_channels'][0]}"
    if settings["n_experts"] == 1:
        return f"ECAPA-TDNN, {width}"
    how = settings["selection"]
    how = f"top-{settings['top_k']}" if how == "top_k" else how
    return f"MoE, {settings['n_experts']} x {width}, {how}"


def training_minutes(log_file):
    """Minutes spent in epochs that were finished.

    Arguments
    ---------
    log_file : Path
        SpeechBrain's log.txt, which keeps the time of each line.

    Returns
    -------
    str
        Training and validation; breaks between runs do not count. A dash
        where the log was left on another machine.
    """
    if not log_file.is_file():
        return "–"
    total, began = 0.0, None
    for line in log_file.read_text(encoding="utf-8").splitlines():
        begins = "Going into epoch" in line
        if began and (begins or "Saved an end-of-epoch checkpoint" in line):
            total += (time_of(line) - began).total_seconds() / 60
            began = None
        if begins:
            began = time_of(line)
        elif RUN_BEGINS.search(line):
            began = None
    return f"{total:.0f}"


def time_of(line):
    """When a line of log.txt was written."""
    stamp = re.match(r"[\d-]+ [\d:]+", line).group()
    return datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S")


def read_scores(folder, trial_list):
    """Trials and scores that verify.py wrote.

    Arguments
    ---------
    folder : str or Path
        A training's output_folder.
    trial_list : str
        Name of the list, without its suffix.

    Returns
    -------
    pandas.DataFrame
        Columns label, enrol, test, score (the raw cosine).
    """
    path = Path(folder) / trial_list / "scores.txt"
    names = ["label", "enrol", "test", "score"]
    with open(path, encoding="utf-8") as file:
        has_head = file.readline().startswith("# ")
    # Paths may hold any mark
    plain = {"sep": " ", "skiprows": int(has_head), "quoting": csv.QUOTE_NONE}
    return pd.read_csv(path, names=names, usecols=range(4), **plain)


def gains(folder, trial_list):
    """The gain of each scoring step of a training.

    Arguments
    ---------
    folder : str or Path
        A training's output_folder.
    trial_list : str
        Name of the list, without its suffix.

    Returns
    -------
    str
        A table under the training's name; empty where the list was scored
        by cosine alone.
    """
    path = Path(folder) / trial_list / "metrics.json"
    said = json.loads(path.read_text(encoding="utf-8"))
    if "steps" not in said:
        return ""
    name = read_row(folder, trial_list)[0]
    return f"Steps of {name}:\n\n{steps_table(said['steps'])}"


def compare(folder, reference, trial_list):
    """A sentence on how a training differs from another one.

    Arguments
    ---------
    folder, reference : str or Path
        Output folders of two trainings that scored the same list.
    trial_list : str
        Name of the list, without its suffix.

    Returns
    -------
    str
        Difference of the EERs, its interval and p-value.

    Raises
    ------
    InputError
        If the two scored other trials.
    """
    a = read_scores(reference, trial_list)
    b = read_scores(folder, trial_list)
    if not a[["enrol", "test"]].equals(b[["enrol", "test"]]):
        raise InputError(
            f"{folder} and {reference} scored other trials: run verify.py on "
            "the same list for both"
        )
    found = paired_bootstrap(
        lambda y, s, w: equal_error_rate(y, s, w).eer,
        a.label.to_numpy(),
        a.score.to_numpy(),
        b.score.to_numpy(),
        speakers_of(a.enrol),
        speakers_of(a.test),
    )
    return (
        f"EER of {read_row(folder, trial_list)[0]} less that of "
        f"{read_row(reference, trial_list)[0]}: {found.difference:+.2f} "
        f"[{found.low:+.2f}, {found.high:+.2f}], paired test over speakers "
        f"p = {found.p_value:.2f}.\n"
    )


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="finished trainings")
    parser.add_argument("--list", default="veri_test", help="list's name")
    given = parser.parse_args()
    try:
        *others, last = given.folders
        rows = [read_row(folder, given.list) for folder in given.folders]
        said = [compare(folder, last, given.list) for folder in others]
        steps = [gains(folder, given.list) for folder in given.folders]
        table = f"{as_table([HEADER, *rows])}\n"
        table = "\n".join([table, *said, *filter(None, steps)])
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(table, end="")


if __name__ == "__main__":
    main()
