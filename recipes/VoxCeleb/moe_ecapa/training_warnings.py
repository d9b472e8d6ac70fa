"""What a training says before it begins, though it goes on.

Authors
 * The speechbrain_moe developers 2026
"""

import logging
from pathlib import Path

from training_lists import unheard_speakers

from speechbrain_moe.training.same_training import has_begun
from speechbrain_moe.training.settings import BEFORE, read_yaml

logger = logging.getLogger(__name__)


def warn_of_heard(source, name, settings):
    """Say so if an encoder was trained on speakers held out or listed.

    Arguments
    ---------
    source : EncoderClassifier
        The encoder; one that keeps no label_encoder is passed over.
    name : str
        Where it came from.
    settings : dict
        Values by key; the lists of its save_folder are read.
    """
    labels = getattr(source.hparams, "label_encoder", None)
    known = {*getattr(labels, "lab2ind", ())}
    heard = sorted(known & unheard_speakers(settings))
    if heard:
        logger.warning(
            "%s was trained on %d of the speakers that are held out or listed "
            "here, such as %s, if the names mean the same people: their error "
            "rates flatter",
            name,
            len(heard),
            heard[0],
        )


def warn_of_schedule(settings):
    """Say so if margin or learning rate will not get where they should.

    Arguments
    ---------
    settings : dict
        Values by key, counts included.
    """
    n_epochs, last = settings["n_epochs"], settings["margin_epochs"][1]
    if last > n_epochs:
        logger.warning(
            "margin_epochs: the whole margin is reached in epoch %d, and "
            "n_epochs is %d",
            last,
            n_epochs,
        )
    n_warmup = settings.get("n_warmup_steps", 0)  # of the yaml's scheduler
    n_steps = settings["steps_per_epoch"]
    if n_warmup >= n_epochs * n_steps:
        logger.warning(
            "n_warmup_steps is %d, and the training has %d steps: the learning "
            "rate never reaches lr; give fewer",
            n_warmup,
            n_epochs * n_steps,
        )


def warn_of_other_epochs(settings):
    """Say so if a training that goes on is to have another length.

    Arguments
    ---------
    settings : dict
        Values by key; the hyperparams.yaml of its output_folder is read, if
        there is one.
    """
    path = Path(settings["output_folder"]) / "hyperparams.yaml"
    if not has_begun(settings["save_folder"]) or not path.is_file():
        return
    n_epochs = settings["n_epochs"]
    before = read_yaml(path).get("n_epochs", n_epochs)
    if n_epochs != before:
        logger.warning(
            "n_epochs was %d and is %d: the learning rate goes on falling as "
            "it did for %d; for one that begins anew, give this folder as "
            "finetune_from and another output_folder",
            before,
            n_epochs,
            before,
        )


def warn_of_heard_crops(settings):
    """Say so if a live teacher would hear the crops of the training before.

    Arguments
    ---------
    settings : dict
        Values by key; the hyperparams.yaml of its finetune_from is read, if
        that is the folder of a training.
    """
    path = Path(str(settings["finetune_from"])) / "hyperparams.yaml"
    if settings["live_teacher"] is None or not path.is_file():
        return
    before = {**BEFORE, **read_yaml(path)}
    alike = before["live_teacher"] and before["seed"] == settings["seed"]
    n_heard = before["n_epochs_before"] + before["n_epochs"] if alike else 0
    if settings["n_epochs_before"] < n_heard:
        logger.warning(
            "finetune_from %s drew its crops from the same seed: those of up "
            "to %d epochs are heard again, but with --n_epochs_before %d",
            settings["finetune_from"],
            n_heard - settings["n_epochs_before"],
            n_heard,
        )
