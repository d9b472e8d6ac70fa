#!/usr/bin/env python3
"""What each step of the recipe gains, from trainings that are finished.

    python stages_table.py results/moe_ecapa_small/1234 \\
        results/moe_ecapa_small/1234/large_margin

 * a row for the best single checkpoint and for the average of each
   training, then for each step that verify.py took with the last one
 * in bold what the recipe takes: the average, where there is one; dev EER is
   of speakers held out, the list's is a report
 * lists are scored where they were not yet: a minute each on a small one

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import json
import sys
from pathlib import Path

from scoring_data import training_settings
from step_metrics import STEPS
from training_lists import trial_lists
from verify import verify

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.card_numbers import as_table, with_interval
from speechbrain_moe.inference.experiment import (
    find_checkpoint,
    list_checkpoints,
)
from speechbrain_moe.inference.file_hashes import sha256_of

HEADER = ("step", "dev EER %", "EER %", "minDCF(0.01)")


def candidates(folder):
    """Best single checkpoint of a training, and its average if there is one.

    Arguments
    ---------
    folder : str or Path
        A training's output_folder.

    Returns
    -------
    dict of Checkpoint
        By what it is.

    Raises
    ------
    InputError
        If there is no checkpoint.
    """
    found = {}
    for one in list_checkpoints(Path(folder) / "save"):
        n = one.meta.get("n_averaged")
        what = f"average of the last {n}" if n else "lowest dev EER"
        found.setdefault(what, one)
    if not found:
        raise InputError(
            f"{folder}/save holds no checkpoint: give the output_folder of a "
            "finished training"
        )
    return found


def measure_checkpoint(folder, one, trial_list, audio_folder, device):
    """What verify.py says of one checkpoint, by raw cosine.

    Arguments
    ---------
    folder : str or Path
        A training's output_folder.
    one : Checkpoint
        Of the training.
    trial_list, audio_folder : str or Path
        What to score.
    device : str
        Where to compute.

    Returns
    -------
    dict
        As in metrics.json; read where it is there.
    """
    # By its time too: the average of a longer training has the same name
    place = f"{one.path.name}_{one.meta['unixtime']:.0f}"
    out = Path(folder) / "stages" / place / Path(trial_list).stem
    return read_metrics(out, trial_list) or verify(
        folder, trial_list, audio_folder, out, device, None, one.path.name
    )


def read_metrics(out, trial_list):
    """What verify.py wrote of a list, as the list is now.

    Arguments
    ---------
    out : Path
        Folder that it wrote.
    trial_list : str or Path
        The list.

    Returns
    -------
    dict
        What metrics.json holds; empty if it is missing or of another list.
    """
    path = out / "metrics.json"
    if not path.is_file():
        return {}
    said = json.loads(path.read_text(encoding="utf-8"))
    return said if said.get("list_sha256") == sha256_of(trial_list) else {}


def stage_rows(folder, device="cpu"):
    """A row for each candidate of one training.

    Arguments
    ---------
    folder : str or Path
        A training's output_folder.
    device : str
        Where to compute.

    Returns
    -------
    list of list of str
        A cell for each entry of HEADER; the one the recipe chose in bold.

    Raises
    ------
    InputError
        If the training is not finished, or has no trial list.
    """
    settings = training_settings(folder)
    lists = trial_lists(settings)
    if not lists:
        raise InputError(f"trial_list of {folder} is null: there is no list")
    found = candidates(folder)
    chosen = find_checkpoint(Path(folder) / "save").path
    rows = []
    for what, one in found.items():
        args = (one, lists[0], settings["trial_folder"], device)
        said = measure_checkpoint(folder, *args)
        name = f"{stage_name(settings)}, {what}"
        rows.append(
            [
                f"**{name}**" if one.path == chosen else name,
                f"{one.meta['dev_eer']:.2f}",
                with_interval(said, "eer"),
                with_interval(said, "min_dcf_0.01"),
            ]
        )
    return rows


def stage_name(settings):
    """A stage by its crops and margin, such as "2 s crops, margin 0.2"."""
    return f"{settings['crop_s']:g} s crops, margin {settings['margin']:g}"


def scoring_rows(folder):
    """A row for each step that verify.py took beyond the cosine.

    Arguments
    ---------
    folder : str or Path
        The last training's output_folder.

    Returns
    -------
    list of list of str
        A cell for each entry of HEADER.

    Raises
    ------
    InputError
        If verify.py has not taken them.
    """
    settings = training_settings(folder)
    trial_list = trial_lists(settings)[0]
    out = Path(folder) / trial_list.stem
    said = read_metrics(out, trial_list)
    if "steps" not in said:
        raise InputError(
            f"{out} has no steps beyond the cosine for {trial_list} as it is: "
            f"run python verify.py {folder}"
        )
    return [
        [
            f"the chosen one, {STEPS[step]}",
            "",
            with_interval(values, "eer"),
            with_interval(values, "min_dcf_0.01"),
        ]
        for step, values in said["steps"].items()
        if step != "cosine"
    ]


def main(arguments=None):
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="trainings, in order")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args(arguments)
    try:
        rows = [HEADER]
        for folder in given.folders:
            rows += stage_rows(folder, given.device)
        rows += scoring_rows(given.folders[-1])
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(as_table(rows))


if __name__ == "__main__":
    main()
