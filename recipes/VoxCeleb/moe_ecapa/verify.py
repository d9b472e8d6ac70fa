#!/usr/bin/env python3
"""Score a trial list with a trained encoder.

    python verify.py <training or package folder> <trial list> <audio folder>

 * writes scores.txt, metrics.json and det.png, each whole or not at all
 * intervals resample speakers, because trials share speakers
 * scores are raw cosines; of a training, the checkpoint with the lowest dev
   EER is taken

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import json
import logging
import subprocess
import sys
from functools import partial
from pathlib import Path

import torch

from speechbrain_moe import __version__
from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.cost import count_cost
from speechbrain_moe.inference.export import is_package, load_encoder
from speechbrain_moe.inference.extract import embed_files
from speechbrain_moe.report.det import plot_det
from speechbrain_moe.scoring.intervals import bootstrap_interval
from speechbrain_moe.scoring.metrics import (
    det_curve,
    equal_error_rate,
    min_dcf,
)
from speechbrain_moe.scoring.speakers import check_labels, speakers_of
from speechbrain_moe.scoring.trials import (
    check_trial_files,
    read_trials,
    trial_scores,
)

logger = logging.getLogger(__name__)
P_TARGETS = (0.01, 0.05)


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
    embeddings = embed_files(
        encoder.encode_batch, paths, audio_folder, encoder.hparams.sample_rate
    )
    return trial_scores(embeddings, paths, trials)


def measure(trials, scores):
    """EER, minDCF and their intervals over speakers.

    Arguments
    ---------
    trials : Trials
        Labels, and paths that begin with the speaker.
    scores : np.ndarray
        One a trial.

    Returns
    -------
    dict
        Plain numbers by name; EER in %, intervals as [low, high] at 95 %.
    """
    enrol, test = speakers_of(trials.enrol), speakers_of(trials.test)
    metrics = {
        "n_trials": len(scores),
        "n_target": int(sum(trials.labels)),
        "n_speakers": len({*enrol, *test}),
        "eer_threshold": equal_error_rate(trials.labels, scores).threshold,
    }
    measures = {"eer": equal_error_rate}
    for p in P_TARGETS:
        measures[f"min_dcf_{p}"] = partial(min_dcf, p_target=p)
    for name, measure_all in measures.items():
        interval = bootstrap_interval(
            lambda y, s, w, f=measure_all: f(y, s, weights=w)[0],
            trials.labels,
            scores,
            enrol,
            test,
        )
        metrics[name] = interval.estimate
        metrics[f"{name}_interval"] = [interval.low, interval.high]
    return metrics


def describe(encoder, source):
    """What was scored: size, work and origin of the encoder.

    Arguments
    ---------
    encoder : SpeakerRecognition
        The encoder.
    source : str or Path
        Folder it came from.

    Returns
    -------
    dict
        Folder name, device, parameters (total, active for one utterance),
        multiply-accumulates for 3 s, version and commit.
    """
    cost = count_cost(
        encoder.mods.embedding_model, n_mels=encoder.hparams.n_mels
    )
    return {
        "encoder": Path(source).resolve().name,
        "device": device_name(encoder.device),
        "params": cost.params,
        "active_params": cost.active_params,
        "active_macs_3s": cost.active_macs,
        "normalisation": "none",
        "version": __version__,
        "commit": git_commit(),
    }


def device_name(device):
    """Name of the device, such as "CPU, 2 threads"."""
    if str(device).startswith("cuda"):
        return torch.cuda.get_device_name(device)
    n_threads = torch.get_num_threads()
    return f"CPU, {n_threads} thread{'s' * (n_threads > 1)}"


def git_commit():
    """Commit of the checkout this file stands in, or "unknown"."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
        )
    except OSError:  # no git here
        return "unknown"
    return answer.stdout.strip() or "unknown"


def write_results(out_folder, trials, scores, metrics):
    """Write scores.txt, metrics.json and det.png.

    Arguments
    ---------
    out_folder : Path
        Made if need be.
    trials : Trials
        What was compared.
    scores : np.ndarray
        One a trial.
    metrics : dict
        What to put into metrics.json.
    """
    out_folder.mkdir(parents=True, exist_ok=True)
    rows = zip(trials.labels, trials.enrol, trials.test, scores)
    lines = [f"{y} {a} {b} {score:.6f}\n" for y, a, b, score in rows]
    write_whole(out_folder / "scores.txt", "".join(lines))
    text = json.dumps(metrics, indent=2) + "\n"
    write_whole(out_folder / "metrics.json", text)
    curve = det_curve(trials.labels, scores)
    try:
        plot_det({metrics["encoder"]: curve}, out_folder / "det.png")
    except ImportError as error:
        logger.warning("no det.png: %s", error)


def verify(source, trial_list, audio_folder, out_folder=None, device="cpu"):
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
        training's folder, or beside the package.
    device : str
        Where to compute.

    Returns
    -------
    dict
        What metrics.json holds.

    Raises
    ------
    InputError
        If anything given cannot be used.
    """
    trials = read_trials(trial_list)
    check_labels(trials)
    encoder = load_encoder(source, device)
    scores = score_trials(encoder, trials, audio_folder)
    metrics = {
        "list": Path(trial_list).name,
        **measure(trials, scores),
        **describe(encoder, source),
    }
    # A package holds nothing but its own files: an export replaces it
    source = Path(source).resolve()
    beside = source.parent if is_package(source) else source
    out_folder = Path(out_folder or beside / Path(trial_list).stem)
    write_results(out_folder, trials, scores, metrics)
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


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", help="training or package folder")
    parser.add_argument("trial_list", help='lines "label enrol test"')
    parser.add_argument("audio_folder", help="where the list's files are")
    parser.add_argument("--out", help="default: a folder named after the list")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    try:
        metrics = verify(
            given.source,
            given.trial_list,
            given.audio_folder,
            given.out,
            given.device,
        )
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(say(metrics))


if __name__ == "__main__":
    main()
