"""Lists made: distinct, even over speakers, groups and files, seeded."""

import collections
import itertools

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.trial_design import make_trials


def tree(n_files):
    """Paths and speakers with n_files[i] files of speaker i."""
    files = [
        (f"id{speaker:03d}/s/{i:05d}.wav", f"id{speaker:03d}")
        for speaker, n in enumerate(n_files)
        for i in range(n)
    ]
    return [path for path, _ in files], [speaker for _, speaker in files]


def speaker(path):
    return path.split("/")[0]


def of_class(trials, label):
    return [
        (e, t)
        for y, e, t in zip(trials.labels, trials.enrol, trials.test)
        if y == label
    ]


@pytest.mark.parametrize("n_per_class", [1, 7, 60, 10_000])
def test_made_trials_are_distinct_and_labelled_right(n_per_class):
    trials = make_trials(*tree([3, 5, 1, 8, 2]), n_per_class)
    pairs = [frozenset(pair) for pair in zip(trials.enrol, trials.test)]
    assert len(set(pairs)) == len(pairs)
    assert all(len(pair) == 2 for pair in pairs)
    same = [speaker(e) == speaker(t) for e, t in zip(*trials[1:])]
    assert same == (trials.labels == 1).tolist()
    assert trials.labels.dtype == np.int64


def test_as_many_trials_as_asked_for_of_each_class():
    trials = make_trials(*tree([5] * 6), 37)
    assert np.bincount(trials.labels).tolist() == [37, 37]


def test_all_pairs_are_taken_and_logged_when_more_are_asked(caplog):
    paths, speakers = tree([3, 2, 1])
    trials = make_trials(paths, speakers, 1000)
    made = {frozenset(pair) for pair in zip(trials.enrol, trials.test)}
    assert made == {frozenset(p) for p in itertools.combinations(paths, 2)}
    assert "1000 target trials wanted, only 4 exist" in caplog.text
    assert "1000 nontarget trials wanted, only 11 exist" in caplog.text


def test_exactly_as_many_as_exist_is_not_logged(caplog):
    trials = make_trials(*tree([2, 2, 2, 2]), 4)
    assert len(trials.labels) == 8
    assert caplog.text == ""


def test_targets_are_even_over_speakers_up_to_what_they_have():
    trials = make_trials(*tree([2, 10, 10, 10]), 31)
    counts = collections.Counter(speaker(e) for e, _ in of_class(trials, 1))
    assert [counts[f"id00{i}"] for i in range(4)] == [1, 10, 10, 10]


def test_nontargets_are_even_over_speaker_pairs():
    trials = make_trials(*tree([9, 5, 7, 12]), 45)
    counts = collections.Counter(
        frozenset((speaker(e), speaker(t))) for e, t in of_class(trials, 0)
    )
    assert sorted(counts.values()) == [7, 7, 7, 8, 8, 8]


def test_few_nontargets_are_even_over_speakers():
    trials = make_trials(*tree([3] * 20), 40)
    counts = collections.Counter(
        speaker(path) for pair in of_class(trials, 0) for path in pair
    )
    assert set(counts.values()) == {4}


def test_nontargets_use_many_files_of_each_speaker():
    trials = make_trials(*tree([20] * 12), 66)  # each pair of speakers once
    files = {path for pair in of_class(trials, 0) for path in pair}
    assert len(files) > 80  # of 132 sides


def test_groups_keep_nontargets_within_and_all_groups_are_used():
    paths, speakers = tree([4] * 9)
    group = dict(zip(dict.fromkeys(speakers), "ffffmmmmx"))
    groups = [group[name] for name in speakers]
    trials = make_trials(paths, speakers, 30, groups=groups)
    sides = [
        (group[speaker(e)], group[speaker(t)]) for e, t in of_class(trials, 0)
    ]
    counts = collections.Counter(sides)
    assert counts == {("f", "f"): 15, ("m", "m"): 15}


def test_the_seed_decides_and_the_order_of_files_does_not():
    paths, speakers = tree([4] * 5)
    first = make_trials(paths, speakers, 20, seed=1)
    backwards = make_trials(paths[::-1], speakers[::-1], 20, seed=1)
    other = make_trials(paths, speakers, 20, seed=2)
    assert first[1:] == backwards[1:]
    assert first[1:] != other[1:]


@pytest.mark.parametrize(
    "n_files, message",
    [
        ([], "no target trials"),
        ([1, 1, 1], "no speaker has two files"),
        ([4], "no nontarget trials"),
    ],
)
def test_a_class_that_cannot_be_made_is_refused(n_files, message):
    with pytest.raises(InputError, match=message):
        make_trials(*tree(n_files), 5)


def test_groups_of_one_speaker_each_are_refused():
    paths, speakers = tree([2, 2])
    with pytest.raises(InputError, match="no nontarget trials"):
        make_trials(paths, speakers, 5, groups=speakers)


def test_inputs_that_contradict_each_other_are_refused():
    paths, speakers = tree([2, 2])
    with pytest.raises(InputError, match="one of each per file"):
        make_trials(paths, speakers[:-1], 5)
    with pytest.raises(InputError, match="comes twice"):
        make_trials([*paths, paths[0]], [*speakers, speakers[0]], 5)
    with pytest.raises(InputError, match="speaker id000 is in two groups"):
        make_trials(paths, speakers, 5, groups=["f", "m", "m", "m"])
    with pytest.raises(InputError, match="n_per_class is 0"):
        make_trials(paths, speakers, 0)
