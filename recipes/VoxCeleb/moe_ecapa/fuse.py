#!/usr/bin/env python3
"""One log-likelihood ratio from the scores of several trainings.

    python fuse.py <output_folder> <output_folder> ... --out <folder>

 * logistic regression over one score of each, fitted on dev trials that
   verify.py scored, never on the list
 * the trainings must have held out the same dev speakers
 * writes scores.txt, metrics.json and det.png

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from scoring_files import DEV_SCORES, read_scores
from step_metrics import STEPS, measure_steps, steps_table
from verify_results import write_results

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.recalibration import P_TARGET
from speechbrain_moe.scoring.calibration import fit_calibration
from speechbrain_moe.scoring.trials import Trials

TRIAL = ["label", "enrol", "test"]


def columns_of(folders, name, step):
    """One score of each training, and the trials that they share.

    Arguments
    ---------
    folders : list of str
        Output folders of trainings.
    name : str
        File of scores below each.
    step : str
        Which score, such as as_norm.

    Returns
    -------
    Trials
        The trials.
    dict of np.ndarray
        Scores by folder.

    Raises
    ------
    InputError
        If a file or score is missing, or the trials are not the same.
    """
    columns, first = {}, None
    for folder in folders:
        path = Path(folder) / name
        table = read_scores(path)
        if step not in table:
            known = ", ".join(c for c in table if c not in TRIAL)
            raise InputError(f"{path} has no {step}; choose --step {known}")
        first = table if first is None else first
        if not table[TRIAL].equals(first[TRIAL]):
            raise InputError(
                f"{path} and {Path(folders[0]) / name} hold other trials: "
                "fuse trainings with the same data, seed and dev speakers"
            )
        columns[str(folder)] = table[step].to_numpy(np.float64)
    sides = first.enrol.tolist(), first.test.tolist()
    return Trials(first.label.to_numpy(), *sides), columns


def fuse(folders, out, trial_list="veri_test", step="as_norm"):
    """Fuse trainings on a list that verify.py scored with each.

    Arguments
    ---------
    folders : list of str
        Output folders of two trainings or more.
    out : str or Path
        Folder to write.
    trial_list : str
        Name of the list, without its suffix.
    step : str
        Which score of each to take.

    Returns
    -------
    dict
        What metrics.json holds.

    Raises
    ------
    InputError
        If scores are missing or do not fit each other.
    """
    n_different = len({Path(folder).resolve() for folder in folders})
    if n_different < max(2, len(folders)):
        raise InputError("give two different trainings or more, each once")
    trials, asked = columns_of(folders, f"{trial_list}/scores.txt", step)
    dev, known = columns_of(folders, f"{trial_list}/{DEV_SCORES}", step)
    names = [*known]
    fitted = fit_calibration(dev.labels, known, P_TARGET, score_names=names)
    # The first one's own score stands beside the fused one
    steps = {step: asked[names[0]], "llr_fused": fitted.apply(asked)}
    metrics = {
        "encoder": " + ".join(Path(name).name for name in names),
        "list": f"{trial_list}.txt",
        "steps": measure_steps(trials, steps, {}),
        "fusion": fitted.to_dict(),
    }
    write_results(Path(out), trials, steps, metrics)
    return metrics


def main(arguments=None):
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="output_folders")
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument("--list", default="veri_test", help="name, no suffix")
    parser.add_argument("--step", default="as_norm", choices=STEPS)
    parser.add_argument("--json", action="store_true", help="print metrics")
    given = parser.parse_args(arguments)
    try:
        metrics = fuse(given.folders, given.out, given.list, given.step)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(json.dumps(metrics) if given.json else steps_table(metrics["steps"]))


if __name__ == "__main__":
    main()
