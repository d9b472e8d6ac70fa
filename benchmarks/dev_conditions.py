#!/usr/bin/env python3
"""Error rates of the dev speakers, as recorded and spoilt, to choose by.

    python benchmarks/dev_conditions.py <speech pack> --dev <training> \
        --models <folder> ... --cache <folder>

 * the trials of the 24 dev speakers that a training wrote; models are those
   to choose among, trained without these speakers
 * the copies are spoilt as those of generalisation.py, babble left out:
   its voices are for reports
 * by gender, and children apart from adults: trials within the group
 * cosine scores, EER in % with 95 % intervals over speakers; the last line,
   the mean over all sounds, is what chooses

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from generalisation import (
    copy_sets,
    eer,
    load_model,
    row,
    score,
    select,
)
from generalisation_copies import ways_to_spoil

from speechbrain_moe.errors import InputError

ADULT = 18  # years
GROUPS = {
    "women": lambda one: one.gender == "f",
    "men": lambda one: one.gender == "m",
    "children": lambda one: one.age < ADULT,
    "adults": lambda one: one.age >= ADULT,
}


def dev_sets(pack, training, cache):
    """The dev trials, as recorded and spoilt."""
    ways = ways_to_spoil(cache, "")
    ways = {k: v for k, v in ways.items() if not k.startswith("babble")}
    list_file = training / "save" / "dev_trials.txt"
    yield from copy_sets("dev", list_file, pack / "dev", cache, ways)


def group_sets(check, speakers):
    """Trials of a set whose two speakers are both of a group."""
    sides = [
        [check.speaker[path] for path in side] for side in check.trials[1:]
    ]
    for name, is_in in GROUPS.items():
        members = set(speakers.index[is_in(speakers)])
        both = [a in members and b in members for a, b in zip(*sides)]
        trials = select(check.trials, np.flatnonzero(both))
        yield check._replace(name=f"dev, {name}", trials=trials)


def table(pack, training, models, cache):
    """Lines of the report."""
    speakers = pd.read_csv(pack / "meta" / "utterances.csv")
    speakers = speakers.groupby("spk_id").first()
    systems = [load_model(model) for model in models]
    names = [system.name for system in systems]
    heads = ["EER %", "speakers", "target", "nontarget", *names]
    yield "| " + " | ".join(heads) + " |"
    yield "| --- " * len(heads) + "|"
    found = []
    for check in dev_sets(pack, training, cache):
        yield row(check, systems, cache)
        if not found:
            for group in group_sets(check, speakers):
                yield row(group, systems, cache)
        scores = [score(check, system, cache) for system in systems]
        found.append([eer(check.trials.labels, one, None) for one in scores])
    means = [f"{value:.2f}" for value in np.mean(found, axis=0)]
    yield "| " + " | ".join(["mean over sounds", "", "", "", *means]) + " |"


def main(args=None):
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path, help="the small speech pack")
    parser.add_argument("--dev", type=Path, required=True, help="training")
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--cache", type=Path, required=True)
    given = parser.parse_args(args)
    torch.set_num_threads(1)
    cache = given.cache.resolve()
    try:
        for line in table(given.pack, given.dev, given.models, cache):
            print(line, flush=True)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
