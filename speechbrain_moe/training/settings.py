"""The plain values of a training yaml, read before anything is built.

 * preparation must run before the model is made: it counts the speakers
 * overrides that name no key, and placeholders, end in one clear error

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

import ruamel.yaml
from hyperpyyaml import resolve_references

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.data import check_speeds, read_table


def read_settings(hparams_file, overrides=""):
    """Resolve a training yaml without building its objects.

    Arguments
    ---------
    hparams_file : str or Path
        The yaml file.
    overrides : str
        Overrides as yaml text, as SpeechBrain parses them.

    Returns
    -------
    dict
        Values by top-level key, references resolved.
    dict
        The overrides by key.

    Raises
    ------
    HyperparameterError
        If the file is missing, a placeholder is unfilled, or an override
        names no key.
    """
    if not Path(hparams_file).is_file():
        raise HyperparameterError(f"{hparams_file}: no such yaml file")
    yaml = ruamel.yaml.YAML()
    overrides = dict(yaml.load(overrides) or {})
    with open(hparams_file, encoding="utf-8") as file:
        known = yaml.load(file)
    unknown = [key for key in overrides if key not in known]
    if unknown:
        raise HyperparameterError(
            f"{hparams_file} has no key {unknown[0]}: its keys are "
            f"{', '.join(k for k in known if not k.startswith('__'))}"
        )
    try:
        with open(hparams_file, encoding="utf-8") as file:
            stream = resolve_references(file, overrides)
    except ValueError as error:  # an unfilled !PLACEHOLDER
        raise HyperparameterError(
            f"{hparams_file}: {error} Give it on the command line, such as "
            "--data_folder <folder>"
        ) from error
    return check(yaml.load(stream)), overrides


def check(settings):
    """Refuse values that would only fail after preparation.

    Arguments
    ---------
    settings : dict
        Values by key.

    Returns
    -------
    dict
        The same.

    Raises
    ------
    HyperparameterError
        The message names the key.
    """
    for key in ("n_epochs", "batch_size"):
        if type(settings[key]) is not int or settings[key] < 1:
            raise HyperparameterError(
                f"{key} is {settings[key]!r}: choose a whole number of 1 or "
                "more"
            )
    if settings["batch_size"] == 1:
        raise HyperparameterError(
            "batch_size is 1: batch normalisation needs 2 or more"
        )
    check_speeds(list(settings["speeds"]))
    return settings


def count_data(settings, overrides):
    """Fill in what only the prepared lists can tell.

    Arguments
    ---------
    settings : dict
        Values by key; the lists of its save_folder are read.
    overrides : dict
        Overrides by key.

    Returns
    -------
    dict
        The settings, with ``speakers`` (sorted list), n_speakers (classes:
        speakers x speeds) and steps_per_epoch.
    dict
        The overrides, with the two numbers.

    Raises
    ------
    HyperparameterError
        If there are fewer utterances than one batch takes.
    """
    table = read_table(f"{settings['save_folder']}/train.csv")
    steps = len(table) // settings["batch_size"]
    if steps == 0:
        raise HyperparameterError(
            f"batch_size is {settings['batch_size']} and {len(table)} "
            f"utterances of {settings['train_folder']} are left for training: "
            "choose a smaller batch_size or give more data"
        )
    speakers = sorted(table.spk_id.unique())
    counted = {
        "n_speakers": len(speakers) * len(settings["speeds"]),
        "steps_per_epoch": steps,
    }
    return (
        {**settings, **counted, "speakers": speakers},
        {**overrides, **counted},
    )
