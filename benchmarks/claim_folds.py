"""Who is trained on and who is scored: folds over the dev speakers.

 * four folds, balanced by gender and age class; a run on a fold never sees
   its speakers
 * ``inner`` is a split of the speakers that fold 0 trains on: tuning and
   ideas are tried there. No speaker of fold 0 takes part in a choice; the
   30 that inner scores are scored again in folds 1 to 3
 * ``test`` trains on all dev speakers and scores the test part, once
 * nontarget trials stay within gender and age class, which is harder

Authors
 * The speechbrain_moe developers 2026
"""

from typing import NamedTuple

import numpy as np

from speechbrain_moe.scoring.trial_design import make_trials
from speechbrain_moe.scoring.trials import read_trials

N_FOLDS = 4
N_TRIALS_PER_CLASS = 6000
INNER_EVERY = 4  # every fourth training speaker of fold 0 is scored


class Split(NamedTuple):
    """Paths to train on and to score, and the trials over the latter."""

    train: list
    score: list
    trials: object


def deal(labelled, n_hands, seed):
    """Hand of each speaker, dealt in turn within gender and age class.

    The deal goes on from one group to the next, so that hands are of one
    size.
    """
    speakers = labelled.drop_duplicates("spk_id")
    rng = np.random.default_rng(seed)
    order = []
    for _, group in speakers.groupby(["gender", "age_class"]):
        order += list(rng.permutation(sorted(group.spk_id)))
    return {speaker: i % n_hands for i, speaker in enumerate(order)}


def make_split(fold, labelled, pack, seed=1234):
    """Split of a fold: 0..3, "inner" or "test"."""
    dev = labelled[labelled.part == "dev"]
    if fold == "test":
        test = labelled[labelled.part == "test"]
        trials = read_trials(pack / "meta" / "veri_test.txt")
        return Split(list(dev.path), list(test.path), trials)
    hands = dev.spk_id.map(deal(dev, N_FOLDS, seed))
    if fold == "inner":
        dev = dev[hands != 0]
        hands = dev.spk_id.map(deal(dev, INNER_EVERY, seed + 1))
        fold = 0
    scored = dev[hands == fold]
    paths = [path.split("/", 1)[1] for path in scored.path]
    groups = list(scored.gender + scored.age_class)
    trials = make_trials(
        paths, list(scored.spk_id), N_TRIALS_PER_CLASS, seed, groups
    )
    return Split(list(dev[hands != fold].path), list(scored.path), trials)
