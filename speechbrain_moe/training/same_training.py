"""Whether a folder holds the training that is to go on there.

 * what shapes the model, who is trained on, what is heard and how the
   weights change stay as they began: every key but those named here
 * how many epochs there are may change, where things are, how it runs, and
   what of it is used

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.settings import BEFORE, COUNTED, read_yaml

FREE_KEYS = (
    # Where things are
    "data_folder",
    "train_folder",
    "trial_folder",
    "trial_list",
    "metadata",
    "output_folder",
    "save_folder",
    "package_folder",
    "train_log",
    "noise_csv",
    "rir_csv",
    # How long, and what comes of it
    "n_epochs",
    "n_averaged",
    "half_weights",
    "dev_interval",
    "ckpt_interval_minutes",
    "max_skipped_steps",
    "tensorboard",
    # How it runs
    "num_workers",
    "keep_freed_memory",
    # What it began with
    "init_from",
    "init_noise",
)
PLAIN = (bool, int, float, str, list, type(None))
# Another place for the same is fine; with it or without is not
GIVEN_KEYS = (
    "teacher_embeddings",
    "unlabelled_folder",
    "live_teacher",
    "finetune_from",
    "shards",
    "voices_folder",
    "noise_folder",
    "rir_folder",
)


def has_begun(save_folder):
    """Whether a training has left a checkpoint.

    Arguments
    ---------
    save_folder : str or Path
        Its save_folder.

    Returns
    -------
    bool
        Also where the checkpoint is not whole.

    Example
    -------
    >>> has_begun(getfixture("tmp_path"))
    False
    """
    return any(Path(save_folder).glob("CKPT+*"))


def check_same_training(settings):
    """Refuse to go on in a folder that holds another training.

    Its hyperparams.yaml would be written over, and its checkpoints would
    no longer fit. Before its first checkpoint anything may change.

    Arguments
    ---------
    settings : dict
        Values by key; the hyperparams.yaml of its output_folder is read, if
        there is one.

    Raises
    ------
    HyperparameterError
        If a value that shapes model, data or steps has changed; names the
        first.
    """
    folder = Path(settings["output_folder"])
    before = folder / "hyperparams.yaml"
    if not before.is_file() or not has_begun(folder / "save"):
        return
    before = {**BEFORE, **read_yaml(before)}
    changed = [
        key
        for key in GIVEN_KEYS
        if (before.get(key) is None) != (settings.get(key) is None)
    ]
    changed += [
        key
        for key in fixed_keys(settings, before)
        if before.get(key) != settings[key]
    ]
    for key in changed[:1]:
        raise HyperparameterError(
            f"{settings['output_folder']} holds a training with {key} "
            f"{before.get(key)!r}, now it is {settings[key]!r}: choose "
            "another output_folder, or remove this one to start over"
        )


def fixed_keys(settings, before):
    """Keys with plain values that stay as a training began.

    Arguments
    ---------
    settings : dict
        Values by key.
    before : dict
        Those of the folder; what it does not know was not there yet.

    Returns
    -------
    list of str
        Those of the model first.

    Example
    -------
    >>> fixed_keys({"model": {"n_mels": 0}, "lr": 1, "n_mels": 80}, {"lr": 2})
    ['n_mels', 'lr']
    """
    others = (*FREE_KEYS, *GIVEN_KEYS, *COUNTED, "model")
    if settings.get("selection") in ("soft", "uniform"):
        others += ("top_k",)
    known = [*settings["model"], *(key for key in settings if key in before)]
    return [
        key
        for key in dict.fromkeys(known)
        if key in settings
        and key not in others
        and (key == "snr_db" or isinstance(settings[key], PLAIN))
        and not key.startswith("__")
    ]
