#!/usr/bin/env python3
"""Score a trial list with a trained encoder.

    python verify.py <training folder> [<trial list> <audio folder>]
    python verify.py <package folder> <trial list> <audio folder> \\
        [--cohort <cohort.npz> --calibration <calibration.json>]

 * cosine, AS-norm by speakers trained on, log-likelihood ratio calibrated
   on dev speakers; error rates of each step with intervals over speakers
 * writes scores.txt, dev_scores.txt, metrics.json, calibration.json,
   subgroups.csv, .md and det.png, each whole or not at all
 * embeddings are kept, so a second call is quick; torchrun splits them
 * of a training, the average of the last checkpoints is taken; without one,
   the checkpoint with the lowest dev EER

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import sys
from pathlib import Path

from extract import device_of_process
from scoring_data import Files, training_settings
from scoring_run import Chain, run_chain
from step_metrics import measure, steps_table
from trial_sources import trial_paths
from trial_subgroups import check_columns
from verify_results import audio_key, describe, write_chain, write_results

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.export import is_package, load_encoder
from speechbrain_moe.inference.file_embeddings import describe_files
from speechbrain_moe.inference.file_hashes import sha256_of
from speechbrain_moe.inference.sharded_extraction import share_of_process
from speechbrain_moe.scoring.speakers import check_labels
from speechbrain_moe.scoring.trials import (
    check_trial_files,
    read_trials,
    trial_scores,
)


def score_trials(encoder, trials, audio_folder):
    """Cosine score of each trial.

    Arguments
    ---------
    encoder : SpeakerRecognition
        Stock interface around the model.
    trials : Trials
        What to compare.
    audio_folder : str or Path
        Folder that the trials' paths are relative to.

    Returns
    -------
    np.ndarray
        Scores in [-1, 1], one a trial, float64.

    Raises
    ------
    InputError
        If a file is missing or cannot be used.
    """
    check_trial_files(trials, audio_folder, "the audio folder")
    paths = sorted({*trials.enrol, *trials.test})
    found = describe_files(encoder, paths, audio_folder)
    return trial_scores(found.embeddings, paths, trials)


def verify(
    source,
    trial_list,
    audio_folder,
    out_folder=None,
    device="cpu",
    chain=None,
    checkpoint=None,
):
    """Score a trial list and write what came out.

    Arguments
    ---------
    source : str or Path
        A training's output_folder, or an exported package.
    trial_list : str or Path
        Lines "label enrol test".
    audio_folder : str or Path
        Folder that the list's paths are relative to.
    out_folder : str or Path, optional
        Where to write; by default a folder named after the list, in the
        training's folder (for a checkpoint, in one of that name there), or
        after package and list, beside the package.
    device : str
        Where to compute.
    chain : Chain, optional
        How to go on from the raw cosine, which is all there is without it.
    checkpoint : str, optional
        Of a training, the name of another checkpoint than the best.

    Returns
    -------
    dict or None
        What metrics.json holds; None in processes that only help to embed.

    Raises
    ------
    InputError
        If anything given cannot be used.
    """
    trials = read_trials(trial_list)
    check_labels(trials)
    check_trial_files(trials, audio_folder, "the audio folder")
    if chain is not None:
        check_columns(chain.metadata, chain.columns)
    # A training's own classes ran before
    ran = not is_package(source)
    encoder = load_encoder(source, device, checkpoint, allow_code=ran)
    source = Path(source).resolve()
    beside, name = source / (checkpoint or ""), Path(trial_list).stem
    if is_package(source):  # which holds its own files alone
        beside, name = source.parent, f"{source.name}_{name}"
    out_folder = Path(out_folder or beside / name)
    if chain is None:
        steps = {"cosine": score_trials(encoder, trials, audio_folder)}
        measured = measure(trials, steps["cosine"])
    else:
        paths = sorted({*trials.enrol, *trials.test})
        files = Files(paths, audio_folder, out_folder / "embeddings")
        scored = run_chain(encoder, source, trials, files, chain)
        if scored is None:
            return None
        steps = scored.steps
        measured = write_chain(
            out_folder, trials, scored, chain.metadata, chain.columns
        )
    metrics = {
        "list": Path(trial_list).name,
        "list_sha256": sha256_of(trial_list),
        "audio_key": audio_key(audio_folder),
        **measured,
        **describe(encoder, source),
    }
    write_results(out_folder, trials, steps, metrics)
    return metrics


def say(metrics):
    """One line for people.

    Arguments
    ---------
    metrics : dict
        What ``verify`` returned.

    Returns
    -------
    str
        The line.
    """
    low, high = metrics["eer_interval"]
    return (
        f"{metrics['list']}: EER {metrics['eer']:.2f} % "
        f"[{low:.2f}, {high:.2f}], minDCF(0.01) {metrics['min_dcf_0.01']:.3f}, "
        f"{metrics['n_trials']} trials of {metrics['n_speakers']} speakers, "
        f"{metrics['params'] / 1e6:.2f} M parameters, "
        f"{metrics['active_params'] / 1e6:.2f} M active"
    )


def given_lists(given):
    """Trial lists and audio folder: as given, or those of the training.

    Arguments
    ---------
    given : dict
        Arguments of the command line.

    Returns
    -------
    list of Path
        The lists, fetched where need be.
    str
        The folder.

    Raises
    ------
    InputError
        If one is given without the other, or the training names no list.
    """
    source, folder = given["source"], given["audio_folder"]
    if given["trial_list"] and folder:
        place = Path(given["out"] or ".") / "lists"
        return trial_paths(given["trial_list"], place), folder
    if given["trial_list"]:
        raise InputError("give the audio folder of the trial list too")
    settings = training_settings(source)
    lists = trial_paths(settings["trial_list"], Path(source) / "save/lists")
    if not lists:
        raise InputError(
            f"trial_list of {source} is null: give a trial list and its audio "
            "folder"
        )
    return lists, settings["trial_folder"]


def build_parser():
    """The argument parser."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("source", help="training or package folder")
    add("trial_list", nargs="?", help="path or URL; default: the training's")
    add("audio_folder", nargs="?", help="where the list's files are")
    add("--out", help="default: named after the list; of several, their parent")
    add("--checkpoint", help="of a training; default: the average")
    add("--device", default="cpu", help="cpu, cuda:0; cuda: one a process")
    add("--cosine_only", action="store_true", help="raw cosine and no more")
    add("--cohort", help="cohort.npz, in place of the training's speakers")
    add("--cohort_utts", type=int, default=20, help="files a cohort speaker")
    add("--calibration", help="calibration.json, in place of dev speakers")
    add("--train_folder", help="audio of the training, if it was moved")
    add("--metadata", help="csv with path or spk_id, for subgroups")
    add("--columns", nargs="+", default=(), help="its columns to show")
    add("--batch_size", type=int, default=1, help="utterances at a time")
    return parser


def main():
    """Command line."""
    given = vars(build_parser().parse_args())
    try:
        lists, folder = given_lists(given)
        chain = None
        if not given["cosine_only"]:
            options = {k: v for k, v in given.items() if k in Chain._fields}
            chain = Chain(**options, share=share_of_process())
        device = device_of_process(given["device"])
        rest = device, chain, given["checkpoint"]
        for trial_list in lists:
            out = given["out"]
            if out and len(lists) > 1:
                out = Path(out) / trial_list.stem
            show(verify(given["source"], trial_list, folder, out, *rest))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def show(metrics):
    """Print what came out; processes that only helped print nothing."""
    if metrics is None:
        return
    print(say(metrics))
    if "steps" in metrics:
        print(steps_table(metrics["steps"]), end="")


if __name__ == "__main__":
    main()
