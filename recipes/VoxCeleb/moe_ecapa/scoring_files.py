"""Cohort and calibration as files, for a package with no training beside it.

 * cohort.npz: one row a speaker; calibration.json: maps and thresholds
 * each names the model it is of, and the calibration its cohort; what is of
   another one is refused

Authors
 * The speechbrain_moe developers 2026
"""

import csv
import json
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from scoring_chain import Cohort, Learnt

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.scoring.calibration import Calibration

DEV_SCORES = "dev_scores.txt"  # beside scores.txt


def read_scores(path):
    """Read what verify.py wrote of several scores.

    Arguments
    ---------
    path : str or Path
        The file.

    Returns
    -------
    pandas.DataFrame
        label, enrol, test and a column for each score.

    Raises
    ------
    InputError
        If it is missing or holds one score alone.
    """
    path = Path(path)
    mend = "run verify.py on the training, without --cosine_only"
    if path.name == DEV_SCORES:
        mend += ", on a list without its dev speakers"
    if not path.is_file():
        raise InputError(f"{path}: no such file; {mend}")
    with open(path, encoding="utf-8") as file:
        mark, *names = file.readline().split()
    if mark != "#":
        raise InputError(f"{path} holds one score alone; {mend}")
    # Paths may hold any mark
    plain = {"sep": " ", "skiprows": 1, "quoting": csv.QUOTE_NONE}
    return pd.read_csv(path, names=names, **plain)


def write_cohort(path, cohort, model_key):
    """Write a cohort for use with a package.

    Arguments
    ---------
    path : Path
        npz to write.
    cohort : Cohort
        What to write.
    model_key : str
        What ``encoder_key`` said of the model.
    """
    arrays = {
        "model": np.array(model_key),
        "speakers": np.array(cohort.speakers, dtype=str),
        "embeddings": cohort.embeddings,
    }
    write_whole(path, partial(np.savez, **arrays))


def read_cohort(path, model_key):
    """Read what ``write_cohort`` wrote.

    Arguments
    ---------
    path : str or Path
        The npz.
    model_key : str
        Of the model that is to use it.

    Returns
    -------
    Cohort
        The cohort.

    Raises
    ------
    InputError
        If it cannot be read, or is of another model.
    """
    try:
        with open(path, "rb") as stream, np.load(stream) as arrays:
            key, speakers = str(arrays["model"]), arrays["speakers"].tolist()
            cohort = Cohort(arrays["embeddings"], speakers)
    except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
        raise InputError(
            f"--cohort {path}: no cohort ({error}); give the cohort.npz that "
            "verify.py wrote into a training's embeddings folder"
        ) from error
    check_model(f"--cohort {path}", key, model_key)
    return cohort


def write_learnt(path, scored):
    """Write calibrations and thresholds.

    Arguments
    ---------
    path : Path
        json to write.
    scored : Scored
        Its learnt, with the cohort and model that go with it.
    """
    learnt, cohort = scored.learnt, scored.cohort
    content = {
        **learnt.about,
        "model": scored.model_key,
        "cohort": None if cohort is None else cohort.key,
        "calibrations": {
            step: calibration.to_dict()
            for step, calibration in learnt.calibrations.items()
        },
        "thresholds": learnt.thresholds,
    }
    write_whole(path, json.dumps(content, indent=2) + "\n")


def read_learnt(path, cohort, model_key):
    """Read what ``write_learnt`` wrote.

    Arguments
    ---------
    path : str or Path
        The json.
    cohort : Cohort or None
        What AS-norm will be done with.
    model_key : str
        Of the model that is to use it.

    Returns
    -------
    Learnt
        Without what needs the cohort where there is none.

    Raises
    ------
    InputError
        If it cannot be read, or is of another model or cohort.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        key, used = content.pop("model"), content.pop("cohort")
        stored = content.pop("calibrations")
        thresholds = content.pop("thresholds")
        calibrations = {k: Calibration.from_dict(v) for k, v in stored.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"--calibration {path}: no calibration ({error!r}); give the "
            "calibration.json that verify.py wrote"
        ) from error
    check_model(f"--calibration {path}", key, model_key)
    if cohort is not None and cohort.key != used:
        raise InputError(
            f"--calibration {path} was fitted with another cohort; give the "
            "cohort.npz of the same training"
        )
    return Learnt(calibrations, thresholds, content)


def check_model(what, key, model_key):
    """Refuse what belongs to another model."""
    if key != model_key:
        raise InputError(
            f"{what} is of another model; give that of the same training, or "
            "of the package exported from it"
        )
