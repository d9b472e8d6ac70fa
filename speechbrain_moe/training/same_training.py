"""Whether a folder holds the training that is to go on there.

 * what shapes the model, who is trained on, what is heard and how the
   weights change stay as they began; how many epochs may change

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.settings import BEFORE, COUNTED, read_yaml

FIXED_KEYS = (
    # Who is trained on
    "batch_size",
    "seed",
    "speeds",
    "n_voices",
    "n_dev_speakers",
    "min_duration_s",
    # What is heard
    "voice_prob",
    "n_hearings",
    "n_epochs_before",
    "centre_teacher",
    "freeze_experts",
    # How the weights change
    "optimizer_name",
    "lr",
    "lr_decay",
    "n_warmup_steps",
    "weight_decay",
)
# Another place for the same is fine; with it or without is not
GIVEN_KEYS = (
    "teacher_embeddings",
    "unlabelled_folder",
    "live_teacher",
    "finetune_from",
    "shards",
)


def check_same_training(settings):
    """Refuse to go on in a folder that holds another training.

    Its hyperparams.yaml would be written over, and its checkpoints would
    no longer fit.

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
    before = Path(settings["output_folder"]) / "hyperparams.yaml"
    if not before.is_file():
        return
    before = {**BEFORE, **read_yaml(before)}
    plain = (bool, int, float, str, list, type(None))
    fixed = [
        key
        for key in settings["model"]
        if key in settings and isinstance(settings[key], plain)
    ]
    idle = ["top_k"] * (settings.get("selection") in ("soft", "uniform"))
    changed = [
        key
        for key in GIVEN_KEYS
        if (before.get(key) is None) != (settings.get(key) is None)
    ]
    changed += [
        key
        for key in [*fixed, *FIXED_KEYS]
        if key in settings
        and key not in (*COUNTED, *idle)
        and before.get(key) != settings[key]
    ]
    for key in changed[:1]:
        raise HyperparameterError(
            f"{settings['output_folder']} holds a training with {key} "
            f"{before.get(key)!r}, now it is {settings[key]!r}: choose "
            "another output_folder, or remove this one to start over"
        )
