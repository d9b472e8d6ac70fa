"""What the yaml's plain values may be, checked before anything is made.

 * one table: key, kind, lowest and highest value
 * the model's own constraints (divisibility, list lengths) are checked by
   the model; this is for what would end in a traceback far from its cause

Authors
 * The speechbrain_moe developers 2026
"""

import math
from pathlib import Path

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.changed_voices import check_voices
from speechbrain_moe.training.crops import check_speeds
from speechbrain_moe.training.idle_values import check_effect
from speechbrain_moe.training.optimizers import OPTIMIZERS

WHOLE = {
    "seed": 0,
    "n_dev_speakers": 2,
    "n_dev_trials": 2,
    "n_epochs": 1,
    "batch_size": 2,
    "num_workers": 0,
    "sample_rate": 1000,
    "n_mels": 1,
    "longest_gap": 100,
    "emb_dim": 1,
    "gate_kernel_size": 1,
    "expert_attention_channels": 1,
    "expert_res2net_scale": 1,
    "expert_se_channels": 1,
    "max_skipped_steps": 1,
    "n_averaged": 1,
    "dev_interval": 1,
    "n_shuffled": 1,
    "n_warmup_steps": 0,
    "n_noises": 1,
    "n_rooms": 1,
    "n_shared_blocks": 0,
    "balance_window": 1,
    "n_subcentres": 1,
    "n_hard_speakers": 0,
    "n_voices": 0,
    "n_hearings": 1,
    "n_epochs_before": 0,
}
NUMBERS = {
    "crop_s": (0.1, 600),
    "hop_length": (1, 22),  # 5 frames in MIN_S: kernels mirror 4
    "min_duration_s": (0, 600),
    "margin": (0, math.pi / 2),
    "scale": (1e-3, 1e4),
    "hard_margin": (0, math.pi / 2),
    "speaker_weight": (0, math.inf),
    "balance_weight": (0, math.inf),
    "z_weight": (0, math.inf),
    "lr": (1e-15, math.inf),
    "lr_decay": (1e-9, 1),
    "weight_decay": (0, math.inf),
    "max_grad_norm": (1e-9, math.inf),
    "ckpt_interval_minutes": (0, math.inf),
    "reverb_prob": (0, 1),
    "noise_prob": (0, 1),
    "drop_prob": (0, 1),
    "voice_prob": (0, 1),
    "always_on_weight": (0, 0.999),
    "gate_noise": (0, 100),
    "expert_dropout": (0, 0.999),
    "temperature_start": (1e-3, 1e3),
    "temperature_end": (1e-3, 1e3),
    "balance_bias_rate": (0, 1),
    "init_noise": (0, 10),
    "distill_weight": (0, math.inf),
    "pairwise_weight": (0, math.inf),
}
WHOLE_LISTS = (
    "gate_channels",
    "expert_channels",
    "expert_kernel_sizes",
    "expert_dilations",
)
FOLDERS = ("train_folder", "output_folder", "package_folder")
SOURCES = (
    "teacher_embeddings",
    "unlabelled_folder",
    "voices_folder",
    "live_teacher",
    "init_from",
    "finetune_from",
    "shards",
    "metadata",
    "noise_folder",
    "rir_folder",
)
SWITCHES = (
    "centre_teacher",
    "half_weights",
    "freeze_experts",
    "tensorboard",
    "keep_freed_memory",
    "skip_nonfinite_grads",
)
TEACHING = ("distill_weight", "pairwise_weight")
PRECISIONS = ("fp32", "bf16", "fp16")  # of SpeechBrain


def check_values(settings):
    """Refuse values of the wrong kind or out of range.

    Arguments
    ---------
    settings : dict
        Values by key; keys that are not there are not looked at.

    Raises
    ------
    HyperparameterError
        The message names the key, the value and what it may be.

    Example
    -------
    >>> check_values({"crop_s": 0})
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.HyperparameterError: crop_s is 0: choose a number
    from 0.1 to 600
    """
    for key in settings.keys() & WHOLE.keys():
        if not is_whole(settings[key], WHOLE[key]):
            refuse(
                key, settings[key], f"a whole number of {WHOLE[key]} or more"
            )
    for key in settings.keys() & NUMBERS.keys():
        low, high = NUMBERS[key]
        if not (is_number(settings[key]) and low <= settings[key] <= high):
            refuse(key, settings[key], f"a number from {low:g} to {high:g}")
    for key in settings.keys() & set(WHOLE_LISTS):
        value = settings[key]
        if not (is_list(value) and all(is_whole(v, 1) for v in value)):
            refuse(key, value, "a list of whole numbers of 1 or more")
    for key in settings.keys() & set(SWITCHES):
        if not isinstance(settings[key], bool):
            refuse(key, settings[key], "True or False")
    if settings.get("grad_accumulation_factor", 1) != 1:
        raise HyperparameterError(
            "grad_accumulation_factor is not 1, and the schedule counts "
            "batches: choose a larger batch_size, or more processes"
        )
    check_paths(settings)
    check_teaching(settings)
    check_voices(settings)
    check_effect(settings)
    check_lists(settings)


def check_paths(settings):
    """Refuse what is no path, or another save_folder than is read.

    Arguments
    ---------
    settings : dict
        Values by key.

    Raises
    ------
    HyperparameterError
        If one is of another kind, or save_folder is not
        <output_folder>/save.
    """
    for key in settings.keys() & set(FOLDERS):
        if not isinstance(settings[key], str):
            refuse(key, settings[key], "a folder")
    for key in settings.keys() & set(SOURCES):
        each = settings[key]
        if not (key == "init_from" and is_list(each) and each):
            each = [each]
        if not (settings[key] is None or all(isinstance(p, str) for p in each)):
            refuse(key, settings[key], "a path, or null")
    lists = settings.get("trial_list")
    each = lists if is_list(lists) else [lists]
    are_texts = each and all(isinstance(path, str) for path in each)
    if not (lists is None or are_texts):
        refuse("trial_list", lists, "a path, a URL, a list of them, or null")
    if "output_folder" in settings and "save_folder" in settings:
        wanted = Path(settings["output_folder"]) / "save"
        if Path(settings["save_folder"]) != wanted:
            refuse("save_folder", settings["save_folder"], f"{wanted}")


def check_lists(settings):
    """Refuse what is not one of a list, or no list of its kind.

    Arguments
    ---------
    settings : dict
        Values by key.

    Raises
    ------
    HyperparameterError
        The message names the key.
    """
    speeds = settings.get("speeds", [1.0])
    if not (is_list(speeds) and all(map(is_number, speeds))):
        refuse("speeds", speeds, "a list of factors, 1.0 first")
    if speeds and not 0.5 <= min(speeds) <= max(speeds) <= 2:
        refuse("speeds", speeds, "factors from 0.5 to 2")
    check_speeds(list(speeds))
    name = settings.get("optimizer_name", OPTIMIZERS[0])
    if name not in OPTIMIZERS:
        refuse("optimizer_name", name, f"one of {', '.join(OPTIMIZERS)}")
    precision = settings.get("precision", PRECISIONS[0])
    if precision not in PRECISIONS:
        refuse("precision", precision, f"one of {', '.join(PRECISIONS)}")
    span = settings.get("margin_epochs", [0, 0])
    is_span = is_list(span) and len(span) == 2
    if not (is_span and is_whole(span[0], 0) and is_whole(span[1], span[0])):
        refuse("margin_epochs", span, "two epochs, such as [0, 6]")
    overrides = settings.get("expert_overrides")
    fits = is_list(overrides) and all(isinstance(o, dict) for o in overrides)
    if overrides is not None and not fits:
        refuse("expert_overrides", overrides, "null or a list of dicts")


def check_teaching(settings):
    """Refuse a teacher that teaches nothing, and teaching without one.

    Arguments
    ---------
    settings : dict
        Values by key.

    Raises
    ------
    HyperparameterError
        The message names the keys to change.
    """
    teacher = settings.get("teacher_embeddings")
    unlabelled = settings.get("unlabelled_folder")
    taught = [key for key in TEACHING if settings.get(key)]
    if unlabelled is not None and teacher is None:
        raise HyperparameterError(
            f"unlabelled_folder is {unlabelled!r} and teacher_embeddings "
            "null: unlabelled speech trains by a teacher alone, so give one"
        )
    if taught and teacher is None:
        raise HyperparameterError(
            f"{taught[0]} is {settings[taught[0]]} and teacher_embeddings "
            "null: give a teacher, or weight 0"
        )
    if settings.get("centre_teacher") and teacher is None:
        raise HyperparameterError(
            "centre_teacher is True and teacher_embeddings null: give a "
            "teacher, or False"
        )
    if teacher is not None and not taught:
        raise HyperparameterError(
            f"teacher_embeddings is {teacher!r}, and {' and '.join(TEACHING)} "
            "are 0: give one of them a weight above 0"
        )
    if settings.get("speaker_weight") == 0 and not taught:
        raise HyperparameterError(
            "speaker_weight is 0 and there is no teacher: nothing would be "
            "learnt, so give it a weight above 0"
        )


def refuse(key, value, wanted):
    """Raise the error that names key, value and what was wanted."""
    shown = list(value) if is_list(value) else value
    raise HyperparameterError(f"{key} is {shown!r}: choose {wanted}")


def is_list(value):
    """Whether a yaml value is a list."""
    return isinstance(value, (list, tuple))


def is_whole(value, lowest):
    """Whether a yaml value is a whole number of at least lowest."""
    is_int = isinstance(value, int) and not isinstance(value, bool)
    return is_int and value >= lowest


def is_number(value):
    """Whether a yaml value is a finite number."""
    is_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_real and math.isfinite(value)
