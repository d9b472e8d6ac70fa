#!/usr/bin/env python3
"""One training's folder from several that began alike: their mean weights.

    python average.py <output_folder> <output_folder> ... --out <folder>

 * model soup: Wortsman et al., "Model soups", ICML 2022
   (https://arxiv.org/abs/2203.05482): trainings that went on from the same
   weights, each in its own way, are better in the mean than each alone, if
   the dev EER says so; it is printed for all of them
 * the encoder is averaged; settings, lists, classifier and the head that
   reaches a teacher are the first one's, whose dev speakers none may have
   been trained on
 * the folder is used as any training's: verify.py, speechbrain-moe export, or
   to start others from

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import shutil
import sys
from pathlib import Path

from scoring_data import MEAN_FILE, training_settings
from speechbrain.utils.checkpoints import average_checkpoints
from verify import score_trials

from speechbrain_moe.checkpoints import WholeCheckpointer
from speechbrain_moe.errors import HyperparameterError, InputError
from speechbrain_moe.inference.experiment import (
    AVERAGE,
    WEIGHTS,
    find_checkpoint,
    read_experiment,
    read_weights,
)
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.inference.half_weights import rounded
from speechbrain_moe.inference.package import load_strictly
from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.trials import read_trials
from speechbrain_moe.training.data import read_table

ENCODER, *HEADS = *WEIGHTS, "distillation"
ENCODING = ("compute_features", "mean_var_norm", ENCODER)
TRAINING_ALONE = ("execution", "expert_dropout", "gate_noise")
TRIALS, DEV, TRAIN = "save/dev_trials.txt", "save/dev.csv", "save/train.csv"
HEARD = "save/heard_speakers.txt"  # of a mean: by any of its trainings
KEPT = ("hyperparams.yaml", "env.log")
PART = ".part"  # what is not whole yet


def average(folders, out):
    """Write the folder of the mean.

    Arguments
    ---------
    folders : list of str or Path
        Output folders of trainings; of each, the checkpoint that verify.py
        would take.
    out : str or Path
        The new folder; there when it is whole, not before.

    Returns
    -------
    dict
        ``dev_eer`` in % by folder, out included, on the first one's trials.

    Raises
    ------
    InputError
        If there are fewer than two, one holds no checkpoint or another
        encoder than the first, or was trained on one of its dev speakers, a
        dev recording cannot be used, or out is there.
    """
    folders, out = [Path(folder) for folder in folders], Path(out)
    if len({folder.resolve() for folder in folders}) < 2:
        raise InputError("one training: give two different ones or more")
    if out.exists():
        raise InputError(f"{out} is there: choose another --out, or remove it")
    first, *others = [read_experiment(one, allow_code=True) for one in folders]
    for folder, other in zip(folders[1:], others):
        check_alike(folders[0], first.graph, folder, other.graph)
    check_unheard(folders)
    found = [find_checkpoint(folder / "save") for folder in folders]
    mean = average_checkpoints(found, ENCODER)
    meta = {
        "dev_eer": dev_eer(folders[0], mean),
        "epoch": found[0].meta["epoch"],
        "n_averaged": len(folders),
    }
    trials = (folders[0] / TRIALS).read_bytes()
    eers = {
        str(folder): one.meta["dev_eer"]
        if (folder / TRIALS).read_bytes() == trials
        else dev_eer(folders[0], read_weights(one, ENCODER))
        for folder, one in zip(folders, found)
    }
    load_strictly(first.hparams[ENCODER], mean, "the mean")
    write(out, folders, found[0], first.hparams[ENCODER], meta)
    return {**eers, str(out): meta["dev_eer"]}


def check_alike(first, graph, folder, other):
    """Refuse an encoder that is not the first one's."""
    if encoder_values(graph) != encoder_values(other):
        raise HyperparameterError(
            f"{folder} has another encoder than {first}: give trainings that "
            "began with the same weights"
        )


def check_unheard(folders):
    """Refuse trainings that heard a dev speaker of the first one."""
    lists = [f / name for f in folders for name in (TRAIN, TRIALS)]
    for path in [folders[0] / DEV, *lists]:
        if not path.is_file():
            raise InputError(
                f"{path}: no such file; give the whole output_folder of a "
                "training"
            )
    held_out = {*read_table(folders[0] / DEV).spk_id}
    for folder in folders[1:]:
        heard = sorted(held_out & heard_speakers(folder))
        if heard:
            raise HyperparameterError(
                f"{folder} was trained on {heard[0]}, a dev speaker of "
                f"{folders[0]}: give trainings that hold out the same "
                "speakers, or put the one that holds out fewer first"
            )


def heard_speakers(folder):
    """Speakers that a training, or any of a mean, was trained on."""
    heard = {*read_table(folder / TRAIN).spk_id}
    if (folder / HEARD).is_file():
        heard |= {*(folder / HEARD).read_text(encoding="utf-8").split("\n")}
    return heard


def encoder_values(graph):
    """What a graph says of the encoder in use, however it is written."""
    return [values(graph[key]) for key in ENCODING]


def values(node):
    """A yaml node as plain values, with the class that it makes."""
    if isinstance(node, dict):
        keys = [key for key in node if key not in TRAINING_ALONE]
        return str(node.tag), {key: values(node[key]) for key in keys}
    if isinstance(node, list):
        return [*map(values, node)]
    if hasattr(node, "tag"):
        return str(node.tag), node.value
    return node


def dev_eer(folder, state):
    """EER in % of a training's dev trials, with other encoder weights."""
    settings = training_settings(folder)
    trials = read_trials(folder / TRIALS)
    encoder = load_encoder(folder, allow_code=True)
    used = rounded(state) if settings.get("half_weights") else state
    load_strictly(encoder.mods[ENCODER], used, "the mean")
    scores = score_trials(encoder, trials, settings["train_folder"])
    return equal_error_rate(trials.labels, scores)[0]


def write(out, folders, checkpoint, model, meta):
    """The first one's folder with the mean's encoder, whole at once."""
    folder, *_ = folders
    part = out.with_name(out.name + PART)
    shutil.rmtree(part, ignore_errors=True)
    (part / "save").mkdir(parents=True)
    for name in KEPT:
        if (folder / name).is_file():
            shutil.copy2(folder / name, part / name)
    for file in (folder / "save").iterdir():
        if file.is_file():
            shutil.copy2(file, part / "save" / file.name)
    saver = WholeCheckpointer(part / "save" / AVERAGE, {ENCODER: model})
    saved = saver.save_checkpoint(meta=meta, name=AVERAGE)
    for name in HEADS:
        if name in checkpoint.paramfiles:
            shutil.copy2(checkpoint.paramfiles[name], saved.path)
    lines = [f"{one}\n" for one in folders]
    heard = sorted(set.union(*map(heard_speakers, folders)))
    (part / HEARD).write_text("\n".join(heard), encoding="utf-8")
    (part / MEAN_FILE).write_text("".join(lines), encoding="utf-8")
    part.rename(out)


def main(arguments=None):
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="output_folders")
    parser.add_argument("--out", required=True, help="folder to write")
    given = parser.parse_args(arguments)
    try:
        eers = average(given.folders, given.out)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    for folder, eer in eers.items():
        print(f"{folder}: dev EER {eer:.2f} %")


if __name__ == "__main__":
    main()
