#!/usr/bin/env python3
"""Run the experiment: train and score what is missing, one line a result.

    python benchmarks/claim.py <speech pack> <work folder> --minutes 60

 * takes the first run that nobody has taken, until the minutes are over;
   start it twice, with one thread each, to use two cores
 * a finished run is skipped, one that was cut off starts again
 * lines go to benchmarks/results/claim.jsonl, scores beside it: every
   figure is made from these by claim_report.py, with no training
 * weights stay in the work folder

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import hashlib
import json
import os
import subprocess
import time
from pathlib import Path

import torch
from claim_batches import Crops
from claim_data import load_features, prepare, read_parts
from claim_folds import make_split
from claim_scoring import collect, cost_of, measure, routing_figures
from claim_systems import ENDPOINT, SYSTEMS
from claim_train import YAML, build, start_from, train

from speechbrain_moe.report.routing_gate import routes_of
from speechbrain_moe.training.memory import keep_freed_memory
from speechbrain_moe.training.teacher import read_teacher

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
COMMIT = subprocess.run(  # now: a later one is not the code that runs
    ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
    cwd=ROOT,
    capture_output=True,
    text=True,
).stdout.strip()


def pending(names, work):
    """Runs (name, fold) without a result, that may be started now."""
    done = finished()
    for name in names:
        system = SYSTEMS[name]
        for fold in system.folds:
            start = system.start and model_file(work, system.start, fold)
            ready = start is None or start.exists()
            if (name, str(fold)) not in done and ready:
                yield name, fold


def finished():
    """Runs (name, fold) that have their lines."""
    return {(row["system"], str(row["fold"])) for row in stored()}


def stored():
    """The lines there are."""
    file = RESULTS / "claim.jsonl"
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def is_run(row, name, fold):
    """Whether a line is of this system and fold."""
    return (row["system"], row["fold"]) == (name, fold)


def model_file(work, name, fold):
    """Where the weights of a run are kept."""
    return work / "models" / f"{name}-{fold}.pt"


def take(work, name, fold):
    """Whether the run is ours now; a lock of a dead process does not count."""
    lock = work / "locks" / f"{name}-{fold}"
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(lock, "x", encoding="utf-8") as file:
            file.write(str(os.getpid()))
        return True
    except FileExistsError:
        owner = lock.read_text(encoding="utf-8")
        if not owner or Path(f"/proc/{owner}").exists():
            return False  # empty: its owner is about to write
        lock.unlink(missing_ok=True)
        return take(work, name, fold)


class Pack:
    """The stored features and who is who, read once."""

    def __init__(self, pack, work):
        self.pack, self.work = pack, work
        self.labelled, self.unlabelled = read_parts(pack)
        self.feats, self.index = load_features(work / "train")
        trials = make_split("test", self.labelled, pack).trials
        self.teacher = read_teacher(
            pack / "meta" / "teacher_campplus.npz",
            {*trials.enrol, *trials.test},
        )
        classes = self.labelled.gender + self.labelled.age_class
        numbers = {c: i for i, c in enumerate(sorted(classes.unique()))}
        self.groups = dict(zip(self.labelled.path, classes.map(numbers)))
        speakers = sorted(self.labelled.spk_id.unique())
        self.speaker_ids = {s: i for i, s in enumerate(speakers)}

    def crops(self, split, hparams):
        """Training batches of a split."""
        speaker_of = dict(zip(self.labelled.path, self.labelled.spk_id))
        speakers = sorted({speaker_of[path] for path in split.train})
        number = {speaker: i for i, speaker in enumerate(speakers)}
        labels = {path: number[speaker_of[path]] for path in split.train}
        unlabelled = list(self.unlabelled.path)
        return Crops(
            self.feats,
            self.index,
            labels,
            self.groups,
            unlabelled if hparams["n_unlabelled"] else [],
            self.teacher,
            hparams,
        )

    def lists(self, fold, split):
        """What is scored: name, features and rows of the split's files."""
        noisy = load_features(self.work / "noisy")
        if fold == "test":
            clean = load_features(self.work / "test")
        else:
            as_recorded = (self.index.speed == 1.0) & ~self.index.augmented
            clean = self.feats, self.index[as_recorded]
        for name, (feats, index) in (("clean", clean), ("noisy", noisy)):
            rows = index.set_index("path").loc[split.score].reset_index()
            yield name, feats, rows

    def attributes(self, paths):
        """Gender, age class and speaker of each scored path."""
        table = self.labelled.set_index("path").loc[paths].reset_index()
        keys = [path.split("/", 1)[1] for path in table.path]
        names = ("gender", "age_class", "spk_id")
        return {name: dict(zip(keys, table[name])) for name in names}


def run(name, fold, pack):
    """Train and score one system on one fold; the lines of its results."""
    system, seconds = SYSTEMS[name], -time.monotonic()
    split = make_split(fold, pack.labelled, pack.pack)
    seed = 1234 + (fold if isinstance(fold, int) else 0)
    n_speakers = len({path.split("/")[1] for path in split.train})
    hparams = build(system.overrides, 3 * n_speakers, seed)
    before = {"train_flops": 0, "steps": 0, "seconds": 0}
    if system.start:
        state = torch.load(model_file(pack.work, system.start, fold))
        start_from(hparams, state, seed)
        before = next(r for r in stored() if is_run(r, system.start, fold))
        hparams["seed"] += 1000  # other batches than the first stage drew
    brain, step_flops = train(hparams, pack.crops(split, hparams))
    seconds += time.monotonic()
    keep(brain, model_file(pack.work, name, fold))
    model = brain.encoder.eval()
    n_steps = hparams["n_epochs"] * hparams["steps_per_epoch"]
    common = {
        **describe(name, fold, seed),
        **cost_of(model),
        "train_flops": step_flops * n_steps + before["train_flops"],
        "steps": n_steps + before["steps"],
        "seconds": round(seconds) + before["seconds"],
        "final": brain.log[-1],
    }
    return score_lists(name, fold, split, model, pack, common)


def score_lists(name, fold, split, model, pack, common):
    """The lines of a trained system: one for each trial list."""
    rows = []
    for list_name, feats, index in pack.lists(fold, split):
        collected = collect(
            model, feats, index, pack.groups, want_raw=model.n_experts > 1
        )
        scores = f"scores/{name}-{fold}-{list_name}.npz"
        if (fold, list_name) == ("test", "clean"):
            list_name = "veri_test"
        row = {**common, "list": list_name, "scores": scores}
        row |= measure(
            collected, split.trials, RESULTS / scores, pack.speaker_ids
        )
        if routes_of(collected) is not None:
            attributes = pack.attributes(split.score)
            row |= routing_figures(collected, split.trials, attributes)
        rows.append(row)
    return rows


def keep(brain, path):
    """Weights of every module, for systems that start from this one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    states = {name: m.state_dict() for name, m in brain.modules.items()}
    torch.save(states, path.with_suffix(".partial"))
    path.with_suffix(".partial").replace(path)


def describe(name, fold, seed):
    """What a line says of its run besides the figures."""
    system = SYSTEMS[name]
    config = [YAML.read_text(encoding="utf-8"), system.overrides, system.start]
    text = json.dumps(config, sort_keys=True).encode()
    role = {v: k for k, v in ENDPOINT.items()}.get(name)
    return {
        "system": name,
        "label": system.label,
        "group": system.group,
        "fold": fold,
        "seed": seed,
        "overrides": system.overrides,
        "control": system.control,
        "start": system.start,
        "tries": system.tries,
        "endpoint": role is not None,
        "endpoint_role": role,
        "config_hash": hashlib.sha256(text).hexdigest()[:12],
        "commit": COMMIT,
        "device": f"CPU, {torch.get_num_threads()} thread",
    }


def append(rows):
    """Add lines, in one write, so that two processes do not mix them."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    with open(RESULTS / "claim.jsonl", "a", encoding="utf-8") as file:
        file.write(text)


def main():
    """Parse the command line and run until the minutes are over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path, help="the small speech pack")
    parser.add_argument("work", type=Path, help="features and weights, 3 GB")
    parser.add_argument("--minutes", type=float, default=60)
    groups = sorted({system.group for system in SYSTEMS.values()})
    parser.add_argument("--group", choices=groups, help="by default all")
    given = parser.parse_args()
    end = time.monotonic() + 60 * given.minutes
    torch.set_num_threads(1)
    keep_freed_memory()
    prepare(given.pack, given.work)
    pack = Pack(given.pack, given.work)
    names = [
        name
        for name, system in SYSTEMS.items()
        if given.group in (None, system.group)
    ]
    while time.monotonic() < end:
        free = pending(names, given.work)
        mine = next((r for r in free if take(given.work, *r)), None)
        if mine is None:
            break
        print(f"== {mine[0]}, fold {mine[1]}", flush=True)
        append(run(*mine, pack))


if __name__ == "__main__":
    main()
