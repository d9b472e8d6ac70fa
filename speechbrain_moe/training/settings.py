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
from speechbrain_moe.training.data import read_table
from speechbrain_moe.training.values import check_values

COUNTED = ("n_speakers", "steps_per_epoch", "teacher_dim")
# Of yaml files from before there were these keys
BEFORE = {
    "n_voices": 0,
    "voices_folder": None,
    "voice_prob": 0.75,
    "centre_teacher": False,
    "live_teacher": None,
    "n_hearings": 1,
    "n_epochs_before": 0,
    "speaker_weight": 1.0,
    "half_weights": False,
    "freeze_experts": False,
    "optimizer_name": "adamw",
}


def read_settings(hparams_file, overrides):
    """Resolve a training yaml without building its objects.

    Arguments
    ---------
    hparams_file : str or Path
        The yaml file.
    overrides : dict
        Overrides by key, as ``open_stage`` gives them.

    Returns
    -------
    dict
        Values by top-level key, references resolved.

    Raises
    ------
    HyperparameterError
        If a placeholder is unfilled, an override names no key, or a value
        cannot be.
    """
    known = read_yaml(hparams_file)
    owned = [k for k in known if not k.startswith("__") and k not in COUNTED]
    unknown = [key for key in overrides if key not in owned]
    if unknown:
        raise HyperparameterError(
            f"{hparams_file} has no key {unknown[0]} that can be given: its "
            f"keys are {', '.join(owned)}"
        )
    try:
        with open(hparams_file, encoding="utf-8") as file:
            stream = resolve_references(file, overrides)
    except ValueError as error:  # an unfilled !PLACEHOLDER
        raise HyperparameterError(
            f"{hparams_file}: {error} Give it on the command line, such as "
            "--data_folder <folder>"
        ) from error
    settings = {**BEFORE, **parse(stream, hparams_file)}
    check_values(settings)
    if "top_k" in overrides and settings.get("selection") != "top_k":
        raise HyperparameterError(
            f"top_k is {overrides['top_k']!r}, but selection is "
            f"{settings.get('selection')}: choose --selection=top_k too"
        )
    return settings


def open_stage(hparams_file, overrides=""):
    """The yaml that a later stage builds on, and what it changes of it.

    A stage is a yaml file with the key ``stage_of``, the name of another
    yaml beside it, whole or a stage again, and nothing but top-level keys of
    the whole one.

    Arguments
    ---------
    hparams_file : str or Path
        The yaml file, of a stage or whole.
    overrides : str
        Overrides as yaml text, as SpeechBrain parses them; they come after
        those of the stage.

    Returns
    -------
    Path
        The whole yaml file.
    dict
        The overrides by key.

    Raises
    ------
    HyperparameterError
        If a file is missing or no yaml.
    """
    path = Path(hparams_file)
    if not path.is_file():
        raise HyperparameterError(f"{path}: no such yaml file")
    overrides = parse(overrides, "the command line") or {}
    seen = [path]
    while "stage_of" in (stage := read_yaml(path)):
        below = path.parent / str(stage.pop("stage_of"))
        if not below.is_file() or any(map(below.samefile, seen)):
            raise HyperparameterError(
                f"{path}: stage_of names {below.name}: name another yaml beside"
            )
        path, overrides = below, {**stage, **overrides}
        seen.append(path)
    return path, overrides


def read_yaml(path):
    """Keys and values of a yaml file, nothing resolved or built.

    Arguments
    ---------
    path : str or Path
        The file.

    Returns
    -------
    dict
        Values by key.

    Raises
    ------
    HyperparameterError
        If it is no yaml, or holds no keys.
    """
    tree = parse(Path(path).read_text(encoding="utf-8"), path)
    if tree is None:
        raise HyperparameterError(f"{path}: is empty; give another yaml file")
    return tree


def parse(text, source):
    """Keys and values of a yaml text.

    Arguments
    ---------
    text : str or stream
        The text.
    source : str or Path
        Where it is from, for the error.

    Returns
    -------
    dict
        Values by key; None for an empty text.

    Raises
    ------
    HyperparameterError
        If it is no yaml, or holds something else than keys.
    """
    try:
        tree = ruamel.yaml.YAML().load(text)
    except ruamel.yaml.YAMLError as error:
        first = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise HyperparameterError(
            f"{source}: not valid yaml ({first}); correct it"
        ) from error
    if tree is not None and not isinstance(tree, dict):
        raise HyperparameterError(
            f"{source}: holds no keys; give them as key: value"
        )
    return tree


def count_data(settings, overrides, teacher=None, n_processes=1):
    """Fill in what only the prepared lists can tell.

    Arguments
    ---------
    settings : dict
        Values by key; the lists of its save_folder are read.
    overrides : dict
        Overrides by key.
    teacher : Teacher, optional
        What ``read_teacher`` returned.
    n_processes : int
        Processes that train together, each with batches of batch_size.

    Returns
    -------
    dict
        The settings, with ``speakers`` (sorted list), n_speakers (classes:
        speakers x speeds x voices, the recording's own included),
        steps_per_epoch (unlabelled utterances count as others do) and
        teacher_dim (0 without a teacher).
    dict
        The overrides, with the three numbers.

    Raises
    ------
    HyperparameterError
        If there are fewer utterances than one batch takes.
    """
    table = read_table(f"{settings['save_folder']}/train.csv")
    n_utterances = len(table)
    if settings["unlabelled_folder"] is not None:
        csv_path = f"{settings['save_folder']}/unlabelled.csv"
        n_utterances += len(read_table(csv_path))
    steps = n_utterances // (n_processes * settings["batch_size"])
    if steps == 0:
        raise HyperparameterError(
            f"batch_size is {settings['batch_size']} and {n_utterances} "
            f"utterances of {settings['train_folder']} are left for training: "
            "choose a smaller batch_size or give more data"
        )
    speakers = sorted(table.spk_id.unique())
    n_copies = len(settings["speeds"]) * (1 + settings["n_voices"])
    counted = {
        "n_speakers": len(speakers) * n_copies,
        "steps_per_epoch": steps,
        "teacher_dim": 0 if teacher is None else teacher.embeddings.shape[1],
    }
    return (
        {**settings, **counted, "speakers": speakers},
        {**overrides, **counted},
    )
