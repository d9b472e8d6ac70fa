#!/usr/bin/env python3
"""Train a Mixture-of-Experts speaker encoder, verify with it, export it.

    python train.py hparams/moe_ecapa.yaml --data_folder /path/to/VoxCeleb

 * one command, one folder: prepares, trains, averages the last checkpoints,
   verifies on the trial list, exports
 * any top-level key of the yaml can be overridden: --n_experts 8 --n_epochs 5
 * run it again after a crash and it goes on from the last checkpoint

Authors
 * The speechbrain_moe developers 2026
"""

import logging
import sys
from functools import partial

import speechbrain as sb
import torch.distributed as dist
from command_line import read_arguments
from hyperpyyaml import load_hyperpyyaml
from speaker_brain import SpeakerBrain
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.utils.distributed import ddp_init_group, run_on_main
from training_data import make_dev, make_train, some_speech
from training_lists import (
    find_teacher,
    prepare,
    trial_lists,
)
from training_warnings import (
    warn_of_heard,
    warn_of_heard_crops,
    warn_of_other_epochs,
    warn_of_schedule,
)
from verify import say, verify
from verify_results import scored_before

from speechbrain_moe.checkpoints import count_processes
from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.dense_source import open_encoder
from speechbrain_moe.inference.export import export_package
from speechbrain_moe.inference.finetune import (
    model_values,
    open_source,
    start_from,
)
from speechbrain_moe.inference.heads import keep_heads
from speechbrain_moe.inference.init_each import init_each
from speechbrain_moe.inference.init_from import init_experts
from speechbrain_moe.scoring.trials import read_trials
from speechbrain_moe.training.draws import DrawnOrder
from speechbrain_moe.training.epoch_log import EpochCurves
from speechbrain_moe.training.labels import fill_labels
from speechbrain_moe.training.memory import keep_freed_memory
from speechbrain_moe.training.same_training import check_same_training
from speechbrain_moe.training.settings import (
    count_data,
    open_stage,
    parse,
    read_settings,
)

logger = logging.getLogger(__name__)
# Keys of a model that say how it is trained, not what it is
HOW = ("execution", "gate_noise", "expert_dropout")
DEV_LOADER = {"batch_size": 1}  # each utterance alone, nothing padded


def read_all(hparams_file, overrides):
    """Yaml file, settings, overrides, and the encoder to start from.

    Arguments
    ---------
    hparams_file : str
        A whole yaml file, or that of a stage.
    overrides : str
        Overrides as SpeechBrain parses them.

    Returns
    -------
    tuple
        Path, dict, dict, and EncoderClassifier or None.
    """
    given = parse(overrides, "the command line") or {}
    hparams_file, overrides = open_stage(hparams_file, overrides)
    settings = read_settings(hparams_file, overrides)
    source = None
    if settings["finetune_from"] is not None:
        source = open_source(settings["finetune_from"])
        keys = [key for key in settings["model"] if key != "n_speakers"]
        overrides = over_stage(overrides, model_values(source, keys)) | given
        settings = read_settings(hparams_file, overrides)
        if settings["selection"] != "uniform" and settings["n_experts"] > 1:
            overrides = temperature_of_source(source) | overrides
            settings = read_settings(hparams_file, overrides)
    return hparams_file, settings, overrides, source


def over_stage(stage, found):
    """A stage's overrides, but for how the model is trained the source's."""
    found = {k: v for k, v in found.items() if k not in HOW or k not in stage}
    if "selection" in found and "top_k" not in found:
        stage = {key: stage[key] for key in stage if key != "top_k"}
    return {**stage, **found}


def temperature_of_source(source):
    """Settings that keep a gate as hot as the source's ended."""
    ended = source.mods.embedding_model.gate_temperature.item()
    ended = float(f"{ended:.6g}")  # it was kept in 32 bits
    return {"temperature_start": ended, "temperature_end": ended}


def start_weights(hparams, settings, source):
    """Fill fresh modules from finetune_from or init_from.

    A training that resumes has weights of its own.
    """
    if hparams["checkpointer"].find_checkpoint() is not None:
        return
    modules = hparams["modules"]
    if source is not None:
        name, speakers = settings["finetune_from"], settings["speakers"]
        n_known = start_from(modules, source, name, speakers)
        logger.info(
            "starts from %s, which knows %d of %d speakers",
            name,
            n_known,
            len(speakers),
        )
        warn_of_heard(source, name, settings)
        warn_of_heard_crops(settings)
    elif isinstance(settings["init_from"], list):
        init_each(modules, settings["init_from"], some_speech(settings))
        logger.info("experts start from %s", ", ".join(settings["init_from"]))
    elif settings["init_from"] is not None:
        init_experts(
            modules,
            settings["init_from"],
            noise=settings["init_noise"],
            seed=settings["seed"],
        )
        logger.info("every expert starts from %s", settings["init_from"])
    given = settings["finetune_from"] or settings["init_from"]
    given = given if isinstance(given, list) else [given]
    for name in given if source is None else ():
        if name is not None:
            warn_of_heard(open_encoder(name), name, settings)
    if given[0] is not None:  # all are in its space
        kept = keep_heads(modules, given[0], settings["speakers"])
        logger.info("kept for training: %s", ", ".join(kept) or "nothing")


def make_loggers(hparams, settings):
    """SpeechBrain's loggers: a text file, and TensorBoard if asked for."""
    loggers = [hparams["train_logger"]]
    if settings["tensorboard"]:
        folder = f"{settings['output_folder']}/tensorboard"
        loggers.append(EpochCurves(folder))
    return loggers


def fit(brain, settings, teacher):
    """Train to the last epoch, from the last checkpoint if there is one."""
    fill_labels(
        brain.hparams.label_encoder,
        settings["speakers"],
        f"{settings['save_folder']}/label_encoder.txt",
    )
    warn_of_schedule(settings)
    train, dev = make_train(brain, settings, teacher), make_dev(settings)
    brain.fit(
        brain.hparams.epoch_counter,
        train,
        dev,
        train_loader_kwargs={
            "batch_size": settings["batch_size"],
            "num_workers": settings["num_workers"],
            "sampler": DrawnOrder(train, brain.draws),
            "drop_last": True,
            "collate_fn": partial(PaddedBatch, padded_keys=["sig"]),
        },
        valid_loader_kwargs=dict(DEV_LOADER),
    )
    if settings["n_averaged"] > 1 and not brain.debug:
        logger.info("average: %s", brain.average(dev, dict(DEV_LOADER)))


def finish(settings, device):
    """Verify with the average, or the best checkpoint, and export it."""
    lists, folder = trial_lists(settings), settings["trial_folder"]
    if not lists:
        logger.warning(
            "trial_list is null: reporting on the dev speakers, who watched "
            "the training; on other speakers the EER may be higher"
        )
        lists = [f"{settings['save_folder']}/dev_trials.txt"]
        folder = settings["train_folder"]
    for trial_list in lists:
        given = settings["output_folder"], trial_list, folder
        metrics = scored_before(*given, device)
        metrics = metrics or verify(*given, device=device)
        logger.info(say(metrics))
    # Last, so that the package's card holds the error rates
    package = export_package(
        settings["output_folder"], settings["package_folder"], allow_code=True
    )
    logger.info("exported to %s", package)


def build(hparams_file, settings, overrides, source, goes_on):
    """Objects of the yaml, in an output folder that fits them.

    Where the training goes on, as many processes must.

    Raises
    ------
    InputError
        If the folder's checkpoints are of another training.
    """
    # Built before the folder's hyperparams.yaml is written over
    with open(hparams_file, encoding="utf-8") as file:
        hparams = load_hyperpyyaml(file, overrides)
    if goes_on:
        hparams["checkpointer"].check_processes()
    sb.create_experiment_directory(
        settings["output_folder"], hparams_file, overrides
    )
    logger.info(
        "training on %d speakers, %d steps an epoch; lists in %s",
        len(settings["speakers"]),
        settings["steps_per_epoch"],
        settings["save_folder"],
    )
    if settings["live_teacher"] is not None:
        hparams["augment"] = hparams["live_augment"]
    start_weights(hparams, settings, source)
    if settings["freeze_experts"]:
        hparams["modules"]["embedding_model"].experts.requires_grad_(False)
    return hparams


def run(run_opts, hparams_file, settings, overrides, source):
    """Prepare, train, export and verify."""
    check_same_training(settings)
    if not run_opts.test_only:
        warn_of_other_epochs(settings)
    teacher = find_teacher(settings)
    run_on_main(prepare, args=[settings, teacher])
    settings, overrides = count_data(
        settings, overrides, teacher, count_processes()
    )
    goes_on = not run_opts.test_only
    hparams = build(hparams_file, settings, overrides, source, goes_on)
    modules = dict(hparams["modules"])
    if teacher is None:
        del modules["distillation"]
    brain = SpeakerBrain(
        dev_trials=read_trials(f"{settings['save_folder']}/dev_trials.txt"),
        loggers=make_loggers(hparams, settings),
        modules=modules,
        opt_class=hparams["opt_class"],
        hparams=hparams,
        run_opts=run_opts,
        checkpointer=hparams["checkpointer"],
    )
    if goes_on:
        fit(brain, settings, teacher)
    if brain.debug:
        logger.info("debug run: nothing is verified or exported")
        return
    run_on_main(finish, args=[settings, brain.device])


def main(arguments):
    """Run the recipe; returns nothing, raises InputError on bad input."""
    hparams_file, run_opts, overrides = read_arguments(arguments)
    hparams_file, settings, overrides, source = read_all(
        hparams_file, overrides
    )
    if settings["keep_freed_memory"]:
        keep_freed_memory()
    ddp_init_group(run_opts)
    try:
        run(run_opts, hparams_file, settings, overrides, source)
    finally:
        if dist.is_initialized():  # its threads would abort the exit
            dist.destroy_process_group()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except InputError as error:
        # HyperPyYAML puts words of its own in front; ours are the last
        print(f"error: {error.args[-1]}", file=sys.stderr)
        sys.exit(2)
