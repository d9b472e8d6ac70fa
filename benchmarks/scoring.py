#!/usr/bin/env python3
"""Scoring of a list as large as VoxCeleb1-E, beside SpeechBrain's loop.

    python benchmarks/scoring.py [--n_runs 3] [--n_threads 2]

 * from a list in a text file and embeddings in another to cosines, AS-norm,
   EER and minDCF; made-up embeddings, since only their number matters
 * SpeechBrain's verification recipe normalises trial by trial: it runs on
   some of the trials and its time is multiplied
 * SpeechBrain's EER looks at all scores for each distinct one: it runs on
   rounded scores and its time is multiplied by how many there would be
 * SpeechBrain's minDCF takes time and memory quadratic in trials: it runs
   on a sample and both are multiplied by the square
 * each measurement is a process of its own, both kinds take turns; medians
   are printed as a table, with peak memory
 * seconds are those of the processor, over all threads, so that other work
   on the machine counts little; the last but one line is by the clock

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from speechbrain_moe.scoring.as_norm import as_norm_trials
from speechbrain_moe.scoring.metrics import equal_error_rate, min_dcf
from speechbrain_moe.scoring.trials import Trials, read_trials, write_trials

N_SPEAKERS, N_EACH, N_TRIALS, N_COHORT = 1250, 116, 580_000, 6_000
EMB_DIM, TOP_N = 192, 300
SAMPLE = 500  # trials of the loop, enough for a second or so
METRIC_SAMPLE = 8_000  # half a GB


def make_data(
    folder, n_speakers=N_SPEAKERS, n_trials=N_TRIALS, n_cohort=N_COHORT
):
    """Write a list, the embeddings of its files, and a cohort."""
    rng = np.random.default_rng(0)
    offset = 0.3 * rng.normal(size=EMB_DIM)
    centres = rng.normal(size=(n_speakers, EMB_DIM))
    noise = rng.normal(size=(n_speakers * N_EACH, EMB_DIM))
    files = offset + np.repeat(centres, N_EACH, axis=0) + 1.9 * noise
    np.save(folder / "files.npy", files.astype(np.float32))
    cohort = offset + rng.normal(size=(n_cohort, EMB_DIM))
    np.save(folder / "cohort.npy", cohort.astype(np.float32))
    labels = rng.integers(2, size=n_trials)
    enrol = rng.integers(n_speakers, size=n_trials)
    other = rng.integers(1, n_speakers, size=n_trials)
    test = np.where(labels, enrol, (enrol + other) % n_speakers)
    names = paths(n_speakers)
    sides = (
        [names[f] for f in s * N_EACH + rng.integers(N_EACH, size=n_trials)]
        for s in (enrol, test)
    )
    write_trials(folder / "trials.txt", Trials(labels, *sides))


def paths(n_speakers):
    """Names as long as VoxCeleb's, in the order of the embeddings."""
    return [
        f"id{10000 + speaker}/x6uYqmx3{file:03d}/00001.wav"
        for speaker in range(n_speakers)
        for file in range(N_EACH)
    ]


def here(folder):
    """CPU seconds of each step, from the files on."""
    clock = [time.process_time()]
    trials = read_trials(folder / "trials.txt")
    clock.append(time.process_time())
    files = np.load(folder / "files.npy")
    ids = paths(len(files) // N_EACH)
    cohort = np.load(folder / "cohort.npy")
    scores = as_norm_trials(files, ids, trials, cohort, TOP_N)
    clock.append(time.process_time())
    equal_error_rate(trials.labels, scores.as_norm)
    clock.append(time.process_time())
    for p_target in (0.01, 0.05):
        min_dcf(trials.labels, scores.as_norm, p_target)
    clock.append(time.process_time())
    np.savez(folder / "scores.npz", scores=scores.as_norm, y=trials.labels)
    steps = np.diff(clock).tolist()
    return dict(zip(("read", "score", "eer", "dcf"), steps))


def control(folder, sample=SAMPLE, metric_sample=METRIC_SAMPLE):
    """The same by SpeechBrain's means, extrapolated; gaps to ours."""
    with np.load(folder / "scores.npz") as stored:
        scores, labels = stored["scores"], stored["y"]
    normalised, loop_s = recipe_loop(folder, sample)
    normalised, score_s = np.array(normalised), loop_s * len(scores) / sample
    # torch.std divides by n - 1
    normalised *= (TOP_N / (TOP_N - 1)) ** 0.5
    few = scores[:metric_sample], labels[:metric_sample]
    dcf_s, dcf_gb, dcf_gap = dcf_on_sample(*few)
    times = (len(scores) / metric_sample) ** 2
    return {
        "score": score_s,
        "eer": eer_extrapolated(scores, labels),
        "dcf": 2 * dcf_s * times,
        "dcf_gb": dcf_gb * times,
        "score_gap": float(np.abs(normalised - scores[:sample]).max()),
        "eer_gap": eer_gap(*few),
        "dcf_gap": dcf_gap,
    }


def recipe_loop(folder, sample):
    """The s-norm of speaker_verification_cosine.py; CPU s of the loop."""
    import torch

    trials = read_trials(folder / "trials.txt")
    files = torch.from_numpy(np.load(folder / "files.npy"))
    rows = dict(zip(paths(len(files) // N_EACH), files.unsqueeze(1)))
    cohort = torch.from_numpy(np.load(folder / "cohort.npy")).unsqueeze(1)
    similarity = torch.nn.CosineSimilarity(dim=-1, eps=1e-6)
    scores, begin = [], time.process_time()
    for names in zip(trials.enrol[:sample], trials.test[:sample]):
        sides = [rows[name] for name in names]
        score = similarity(*sides)[0]
        normalised = []
        for side in sides:
            alike = similarity(side.repeat(len(cohort), 1, 1), cohort)
            nearest = torch.topk(alike, k=TOP_N, dim=0)[0]
            normalised.append((score - nearest.mean(0)) / nearest.std(0))
        scores.append(0.5 * sum(normalised).item())
    return scores, time.process_time() - begin


def eer_extrapolated(scores, labels, decimals=2):
    """Seconds of SpeechBrain's EER of all trials, from rounded scores."""
    from speechbrain.utils.metric_stats import EER

    rounded = scores.round(decimals)
    n_values = [len(np.unique(s.astype(np.float32))) for s in (scores, rounded)]
    classes = split_classes(rounded, labels)
    begin = time.process_time()
    EER(*classes)
    return (time.process_time() - begin) * n_values[0] / n_values[1]


def eer_gap(scores, labels):
    """By how much SpeechBrain's EER differs, in %."""
    from speechbrain.utils.metric_stats import EER

    found, _ = EER(*split_classes(scores, labels))
    return abs(100 * found - equal_error_rate(labels, scores).eer)


def dcf_on_sample(scores, labels):
    """Seconds and GB of SpeechBrain's minDCF, and its gap to ours."""
    from speechbrain.utils.metric_stats import minDCF

    classes = split_classes(scores, labels)
    before = resident_gb()
    begin = time.process_time()
    found, _ = minDCF(*classes)
    seconds = time.process_time() - begin
    # SpeechBrain's is not normalised: at 0.01 a hundredth
    gap = abs(100 * found - min_dcf(labels, scores, 0.01).min_dcf)
    return seconds, peak_gb() - before, gap


def split_classes(scores, labels):
    """Scores of targets and of nontargets, as torch's float32."""
    import torch

    parts = scores[labels == 1], scores[labels == 0]
    return [torch.tensor(part, dtype=torch.float32) for part in parts]


def resident_gb():
    """Memory this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e9


def peak_gb():
    """The most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def measure_apart(kind, folder, n_threads):
    """What `kind` returns in a process of its own, and its time."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--one", kind, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=os.environ
        | dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(n_threads)
        ),
    )
    wall = time.perf_counter() - begin
    return {**json.loads(done.stdout), "wall": wall}


def table(ours, theirs):
    """Lines of the table, from the medians of both kinds."""
    yield "| step | here, CPU s | SpeechBrain, CPU s | times faster |"
    yield "| --- | --- | --- | --- |"
    yield f"| read the list | {ours['read']:.2f} | | |"
    names = {
        "score": "cosine and AS-norm",
        "eer": "EER",
        "dcf": "minDCF(0.01), minDCF(0.05)",
    }
    for key, name in names.items():
        ratio = theirs[key] / ours[key]
        yield f"| {name} | {ours[key]:.2f} | {theirs[key]:.0f} | {ratio:.0f} |"
    total = sum(theirs[key] for key in names)
    ratio = total / ours["cpu"]
    yield f"| whole process | {ours['cpu']:.1f} | {total:.0f} | {ratio:.0f} |"
    yield f"| whole process, by the clock | {ours['wall']:.1f} | | |"
    memory = f"{ours['peak_gb']:.2f} GB | {theirs['dcf_gb']:.0f} GB"
    yield f"| peak memory | {memory} | |"


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n_runs", type=int, default=3)
    parser.add_argument("--n_threads", type=int, default=2)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        kind, folder = given.one
        call = {"data": make_data, "here": here, "control": control}[kind]
        found = call(Path(folder)) or {}
        print(
            json.dumps(
                {**found, "peak_gb": peak_gb(), "cpu": time.process_time()}
            )
        )
        return
    runs = {"here": [], "control": []}
    with tempfile.TemporaryDirectory() as folder:
        measure_apart("data", folder, given.n_threads)
        for _ in range(given.n_runs):
            for kind, found in runs.items():
                found.append(measure_apart(kind, folder, given.n_threads))
    middle = {
        kind: {
            key: statistics.median(r[key] for r in found) for key in found[0]
        }
        for kind, found in runs.items()
    }
    print("\n".join(table(middle["here"], middle["control"])))
    gaps = {k: v for k, v in middle["control"].items() if k.endswith("_gap")}
    print("\nlargest gaps on the samples:", gaps)


if __name__ == "__main__":
    main()
