#!/usr/bin/env python3
"""The whole job on synthetic voices: make, train, verify, export, load.

    python demo.py <results folder>

 * voices, sentences and the trained weights are made here; nothing is
   downloaded
 * prints the EER on voices that training never heard, beside that of an
   untrained network, of mean log-mel and of median pitch alone
 * run it again and it goes on where it stopped

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import torch
from baselines import mean_log_mel_scores, median_pitch_scores
from hyperpyyaml import load_hyperpyyaml
from speechbrain.inference.speaker import SpeakerRecognition
from verify import score_trials

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.training_graph import read_tree, to_text
from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.trials import read_trials

RECIPE = Path(os.path.relpath(Path(__file__).parent))
NAMES = {
    "median pitch alone": median_pitch_scores,
    "mean log-mel alone": mean_log_mel_scores,
}


def untrained_encoder(experiment, seed=0):
    """The network of a training, with random weights.

    Arguments
    ---------
    experiment : str or Path
        The training's output_folder.
    seed : int
        Seed of the weights.

    Returns
    -------
    SpeakerRecognition
        Stock interface around it.
    """
    torch.manual_seed(seed)
    graph = read_tree(Path(experiment) / "hyperparams.yaml")["model"]
    hparams = load_hyperpyyaml(to_text(graph))
    return SpeakerRecognition(modules=hparams["modules"], hparams=hparams)


def run(script, *arguments):
    """Run a script of the recipe, as a user would, and show the command.

    A process of its own: making voices starts one process for each voice,
    and each would import all that this file does.

    Arguments
    ---------
    script : str
        File in the recipe's folder.
    *arguments : list of str
        Its command line.

    Raises
    ------
    subprocess.CalledProcessError
        If it failed.
    """
    command = [sys.executable, str(RECIPE / script), *map(str, arguments)]
    print("$", " ".join(command), flush=True)
    subprocess.run(command, check=True)


def compare(voices, experiment):
    """EER of the trained network and of what it has to beat.

    Arguments
    ---------
    voices : Path
        The corpus.
    experiment : Path
        The training's output_folder.

    Returns
    -------
    dict
        EER in % by name, the trained network last.
    """
    trials = read_trials(voices / "meta" / "veri_test.txt")
    scores = {
        name: baseline(voices, trials) for name, baseline in NAMES.items()
    }
    scores["untrained network"] = score_trials(
        untrained_encoder(experiment), trials, voices / "test"
    )
    table = pd.read_csv(
        experiment / "veri_test" / "scores.txt", sep=" ", header=None
    )
    scores["trained network"] = table[3].to_numpy()
    return {
        name: equal_error_rate(trials.labels, values).eer
        for name, values in scores.items()
    }


def verify_pairs(voices, package):
    """Scores of one same-voice and one different-voice pair.

    Arguments
    ---------
    voices : Path
        The corpus.
    package : Path
        The exported folder, loaded by stock SpeechBrain.

    Returns
    -------
    list of tuple
        For each pair what it is, the score, and the two files.
    """
    encoder = SpeakerRecognition.from_hparams(source=str(package))
    trials = read_trials(voices / "meta" / "veri_test.txt")
    pairs = []
    for label, said in ((1, "same voice"), (0, "different voices")):
        i = list(trials.labels).index(label)
        files = [
            str(voices / "test" / path)
            for path in (trials.enrol[i], trials.test[i])
        ]
        score, _ = encoder.verify_files(*files)
        pairs.append((said, score.item(), files))
    return pairs


def joined(lines):
    """Lines as one text."""
    return "\n".join(lines)


def report(eers, pairs, folder):
    """What the demo says at its end.

    Arguments
    ---------
    eers : dict
        EER in % by name.
    pairs : list of tuple
        What ``verify_pairs`` returned.
    folder : Path
        Where the results are.

    Returns
    -------
    str
        Text of several lines.
    """
    package, voices = folder / "model" / "package", folder / "voices"
    python = os.path.relpath(sys.executable)
    command = os.path.join(os.path.dirname(python), "speechbrain-moe")
    rows = [f"  {name:20s} {eer:6.2f} %" for name, eer in eers.items()]
    scored = [
        f"  {said:17s} {score:6.3f}  {files[0]}  {files[1]}"
        for said, score, files in pairs
    ]
    return f"""
EER on synthetic voices that training never heard:
{joined(rows)}

Cosine scores by stock SpeechBrain from the exported folder:
{joined(scored)}

Results:  {folder}
  model/package     loads with SpeakerRecognition.from_hparams
  model/veri_test   scores.txt, metrics.json, det.png
  voices            the synthetic speech

Next, with files of your own:
  {command} verify --model {package} {" ".join(pairs[0][2])}
  {python} {RECIPE / "verify.py"} {package} \\
      {voices / "meta" / "veri_test.txt"} {voices / "test"}
  {python} {RECIPE / "train.py"} \\
      {RECIPE / "hparams" / "moe_ecapa_small.yaml"} --data_folder {voices}
"""


def main():
    """Run the demo; exits 1 if the trained network does not win."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where results go")
    folder = Path(os.path.relpath(parser.parse_args().folder))
    voices, experiment = folder / "voices", folder / "model"
    try:
        run("synthesise_voices.py", voices)
        run(
            "train.py",
            RECIPE / "hparams" / "demo.yaml",
            f"--data_folder={voices}",
            f"--output_folder={experiment}",
        )
        eers = compare(voices, experiment)
        pairs = verify_pairs(voices, experiment / "package")
    except (InputError, subprocess.CalledProcessError) as error:
        sys.exit(f"error: {error}")
    text = report(eers, pairs, folder)
    write_whole(folder / "report.txt", text)
    print(text)
    trained = eers.pop("trained network")
    if trained >= min(eers.values()):
        sys.exit("error: the trained network does not beat the baselines")


if __name__ == "__main__":
    main()
