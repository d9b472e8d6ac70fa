"""Folds of the experiment: no speaker is trained on and scored."""

from collections import Counter

import pandas as pd
import pytest
from claim_folds import make_split

GROUPS = [(g, a) for g in "fm" for a in ("adult", "child")]
FOLDS = (0, 1, 2, 3, "inner")


@pytest.fixture
def labelled():
    """32 dev speakers, 8 in each group of gender and age, 3 files each."""
    rows = [
        {
            "path": f"dev/s{i:02}/r/{k}.wav",
            "spk_id": f"s{i:02}",
            "part": "dev",
            "gender": GROUPS[i % 4][0],
            "age_class": GROUPS[i % 4][1],
        }
        for i in range(32)
        for k in range(3)
    ]
    return pd.DataFrame(rows)


def speakers(paths):
    return {path.split("/")[-3] for path in paths}


@pytest.mark.parametrize("fold", FOLDS)
def test_no_speaker_is_trained_on_and_scored(labelled, fold):
    split = make_split(fold, labelled, None)
    assert split.train and split.score
    assert not speakers(split.train) & speakers(split.score)
    sides = [*split.trials.enrol, *split.trials.test]
    assert speakers(sides) == speakers(split.score)


def test_each_speaker_is_scored_in_one_fold(labelled):
    scored = [
        speaker
        for fold in FOLDS[:4]
        for speaker in speakers(make_split(fold, labelled, None).score)
    ]
    assert sorted(scored) == sorted(labelled.spk_id.unique())


def test_inner_split_stays_among_the_speakers_that_fold_0_trains_on(labelled):
    inner, outer = (make_split(f, labelled, None) for f in ("inner", 0))
    within = speakers(inner.train) | speakers(inner.score)
    assert within == speakers(outer.train)


@pytest.mark.parametrize("fold", FOLDS[:4])
def test_folds_are_balanced_by_gender_and_age(labelled, fold):
    scored = speakers(make_split(fold, labelled, None).score)
    rows = labelled[labelled.spk_id.isin(scored)].drop_duplicates("spk_id")
    assert set(Counter(rows.gender + rows.age_class).values()) == {2}


def test_nontarget_trials_stay_within_gender_and_age(labelled):
    trials = make_split(0, labelled, None).trials
    group = dict(zip(labelled.spk_id, labelled.gender + labelled.age_class))
    assert 0 in trials.labels
    for sides in zip(trials.enrol, trials.test):
        first, second = (group[path.split("/")[-3]] for path in sides)
        assert first == second
