#!/usr/bin/env python3
"""One training's folder from several that began alike: their mean weights.

    python average.py <output_folder> <output_folder> ... --out <folder>

 * model soup: Wortsman et al., "Model soups", ICML 2022
   (https://arxiv.org/abs/2203.05482): trainings that went on from the same
   weights, each in its own way, are better in the mean than each alone, if
   the dev EER says so; it is printed for all of them
 * the encoder is averaged; settings, lists and classifier are the first one's
 * the folder is used as any training's: verify.py, speechbrain-moe export

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import shutil
import sys
from pathlib import Path

from scoring_data import training_settings
from speechbrain.utils.checkpoints import average_checkpoints
from verify import score_trials

from speechbrain_moe.checkpoints import WholeCheckpointer
from speechbrain_moe.errors import HyperparameterError, InputError
from speechbrain_moe.inference.experiment import (
    AVERAGE,
    WEIGHTS,
    find_checkpoint,
    read_experiment,
)
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.inference.package import load_strictly
from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.trials import read_trials

ENCODER = WEIGHTS[0]
ENCODING = ("compute_features", "mean_var_norm", ENCODER)
KEPT = ("hyperparams.yaml", "env.log", "train_log.txt", "log.txt")
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
        ``dev_eer`` in % by folder, out included.

    Raises
    ------
    InputError
        If there are fewer than two, one holds no checkpoint or another
        encoder or other dev speakers than the first, or out is there.
    """
    folders, out = [Path(folder) for folder in folders], Path(out)
    if len({folder.resolve() for folder in folders}) < 2:
        raise InputError("one training: give two different ones or more")
    if out.exists():
        raise InputError(f"{out} is there: choose another --out, or remove it")
    experiments = [read_experiment(folder) for folder in folders]
    for folder, experiment in zip(folders[1:], experiments[1:]):
        check_alike(folders[0], experiments[0], folder, experiment)
    found = [find_checkpoint(folder / "save") for folder in folders]
    modules = {name: experiments[0].hparams[name] for name in WEIGHTS}
    mean = average_checkpoints(found, ENCODER)
    load_strictly(modules[ENCODER], mean, "the mean")
    part = copy_training(folders[0], out)
    meta = {
        "n_averaged": len(folders),
        "epoch": max(one.meta["epoch"] for one in found),
    }
    saver = WholeCheckpointer(part / "save" / AVERAGE, recoverables=modules)
    saver.save_checkpoint(meta={**meta, "dev_eer": 0.0}, name=AVERAGE)
    # Of the weights as they are used, 16-bit ones where those are wanted
    meta["dev_eer"] = dev_eer(part)
    saver.save_checkpoint(meta=meta, name=AVERAGE)
    part.rename(out)
    eers = {str(f): one.meta["dev_eer"] for f, one in zip(folders, found)}
    return {**eers, str(out): meta["dev_eer"]}


def check_alike(first, experiment, folder, other):
    """Refuse encoders and dev speakers that are not the first one's."""
    if encoder_values(experiment.graph) != encoder_values(other.graph):
        raise HyperparameterError(
            f"{folder} has another encoder than {first}: give trainings that "
            "began with the same weights"
        )
    names = [Path(one) / "save/dev.csv" for one in (first, folder)]
    if names[0].read_bytes() != names[1].read_bytes():
        raise HyperparameterError(
            f"{names[1]} holds other dev speakers than {names[0]}: give "
            "trainings with the same data and seed"
        )


def encoder_values(graph):
    """What a graph says of the encoder, however it is written."""
    return [values(graph[key]) for key in ENCODING]


def values(node):
    """A yaml node as plain values, with the class that it makes."""
    if isinstance(node, dict):
        return str(node.tag), {key: values(node[key]) for key in node}
    if isinstance(node, list):
        return [*map(values, node)]
    return str(node.tag) if hasattr(node, "tag") else node


def copy_training(folder, out):
    """Settings, lists and labels of a training in a new folder, unfinished."""
    part = out.with_name(out.name + PART)
    shutil.rmtree(part, ignore_errors=True)
    (part / "save").mkdir(parents=True)
    for name in KEPT:
        if (folder / name).is_file():
            shutil.copy2(folder / name, part / name)
    for file in (folder / "save").iterdir():
        if file.is_file():
            shutil.copy2(file, part / "save" / file.name)
    return part


def dev_eer(folder):
    """EER in % of a training's dev trials by its average."""
    trials = read_trials(folder / "save/dev_trials.txt")
    audio = training_settings(folder)["train_folder"]
    scores = score_trials(load_encoder(folder), trials, audio)
    return equal_error_rate(trials.labels, scores)[0]


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
