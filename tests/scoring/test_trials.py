"""Trial lists: the file form, the lists made, the scores."""

import collections
import itertools
import math
import os

import numpy as np
import pytest

from speechbrain_moe.scoring import trials as module
from speechbrain_moe.scoring.trials import (
    TrialListError,
    Trials,
    check_trial_files,
    make_trials,
    read_trials,
    trial_scores,
    write_trials,
)

TWO = Trials(
    np.array([1, 0]), ["a/s/1.wav", "a/s/1.wav"], ["a/s/2.wav", "b/s/1.wav"]
)


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


def test_written_trials_read_back_the_same(tmp_path):
    write_trials(tmp_path / "list.txt", TWO)
    back = read_trials(tmp_path / "list.txt")
    assert back.labels.dtype == np.int64
    assert back.labels.tolist() == [1, 0]
    assert back[1:] == TWO[1:]


def test_the_file_form_is_that_of_voxceleb(tmp_path):
    write_trials(tmp_path / "list.txt", TWO)
    first = (tmp_path / "list.txt").read_bytes().split(b"\n")[0]
    assert first == b"1 a/s/1.wav a/s/2.wav"


@pytest.mark.parametrize(
    "text",
    [
        b"0 a/1 b/1\r\n1 a/1 a/2\r\n",
        b"\xef\xbb\xbf0 a/1 b/1\n\n1\ta/1  a/2",
    ],
)
def test_windows_ends_marks_tabs_and_blank_lines_are_read(tmp_path, text):
    path = tmp_path / "list.txt"
    path.write_bytes(text)
    assert read_trials(path).test == ["b/1", "a/2"]


def test_one_class_only_is_read(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("1 a/1 a/2\n")
    assert read_trials(path).labels.tolist() == [1]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "holds no trials"),
        ("\n \n", "holds no trials"),
        ("1 a/1 a/2\n1 a/1\n", r"list.txt:2: 2 fields"),
        ("1 a/1 a/2 a/3\n", r"list.txt:1: 4 fields"),
        ("1 a/1 a/2\n\n2 a/1 a/2\n", r"list.txt:3: label '2'"),
        ("a/1 a/2 1\n", r"list.txt:1: label 'a/1'"),
    ],
)
def test_a_malformed_list_is_refused_with_its_line(tmp_path, text, message):
    path = tmp_path / "list.txt"
    path.write_text(text)
    with pytest.raises(TrialListError, match=message):
        read_trials(path)


def test_a_missing_list_a_folder_and_binary_data_are_refused(tmp_path):
    with pytest.raises(TrialListError, match="none.txt is missing"):
        read_trials(tmp_path / "none.txt")
    with pytest.raises(TrialListError, match="is a folder"):
        read_trials(tmp_path)
    (tmp_path / "packed.gz").write_bytes(b"\x1f\x8b\xff\xfe")
    with pytest.raises(TrialListError, match="not UTF-8 text"):
        read_trials(tmp_path / "packed.gz")


@pytest.mark.parametrize(
    "wrong",
    [
        TWO._replace(enrol=["a/1.wav"]),
        TWO._replace(labels=np.array([1, 2])),
        TWO._replace(test=["a b/1.wav", "c/1.wav"]),
        TWO._replace(test=["", "c/1.wav"]),
    ],
)
def test_trials_that_could_not_be_read_back_are_not_written(tmp_path, wrong):
    with pytest.raises(TrialListError):
        write_trials(tmp_path / "list.txt", wrong)
    assert os.listdir(tmp_path) == []


def test_an_interrupted_write_leaves_the_old_list(tmp_path, monkeypatch):
    path = tmp_path / "list.txt"
    path.write_text("old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(module.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_trials(path, TWO)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["list.txt"]


def test_missing_files_are_counted_and_the_first_is_named(tmp_path):
    (tmp_path / "a/s").mkdir(parents=True)
    (tmp_path / "a/s/1.wav").touch()
    with pytest.raises(TrialListError) as error:
        check_trial_files(TWO, tmp_path, folder_key="voxceleb_folder")
    assert "2 of 3 files" in str(error.value)
    assert "first is a/s/2.wav" in str(error.value)
    assert "Correct voxceleb_folder" in str(error.value)


def test_files_that_all_stand_pass_and_are_looked_up_once(
    tmp_path, monkeypatch
):
    looked_up = collections.Counter()

    def isfile(path):
        looked_up[path] += 1
        return True

    monkeypatch.setattr(module.os.path, "isfile", isfile)
    check_trial_files(TWO, tmp_path)
    assert list(looked_up.values()) == [1, 1, 1]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(TrialListError, match="nowhere does not exist"):
        check_trial_files(TWO, tmp_path / "nowhere")


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
    with pytest.raises(ValueError, match=message):
        make_trials(*tree(n_files), 5)


def test_groups_of_one_speaker_each_are_refused():
    paths, speakers = tree([2, 2])
    with pytest.raises(ValueError, match="no nontarget trials"):
        make_trials(paths, speakers, 5, groups=speakers)


def test_inputs_that_contradict_each_other_are_refused():
    paths, speakers = tree([2, 2])
    with pytest.raises(ValueError, match="one of each per file"):
        make_trials(paths, speakers[:-1], 5)
    with pytest.raises(ValueError, match="comes twice"):
        make_trials([*paths, paths[0]], [*speakers, speakers[0]], 5)
    with pytest.raises(ValueError, match="speaker id000 is in two groups"):
        make_trials(paths, speakers, 5, groups=["f", "m", "m", "m"])
    with pytest.raises(ValueError, match="n_per_class is 0"):
        make_trials(paths, speakers, 0)


def scored(embeddings, dtype=np.float64):
    ids = ["a/s/1.wav", "a/s/2.wav", "b/s/1.wav"]
    return trial_scores(np.array(embeddings, dtype=dtype), ids, TWO)


def test_scores_are_cosines_by_a_slow_loop(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 7)  # several blocks
    paths, speakers = tree([4] * 5)
    trials = make_trials(paths, speakers, 20)
    rows = dict(zip(paths, np.random.default_rng(0).normal(size=(20, 6))))
    slow = [
        math.fsum(rows[e] * rows[t])
        / math.hypot(*rows[e])
        / math.hypot(*rows[t])
        for e, t in zip(trials.enrol, trials.test)
    ]
    scores = trial_scores(np.array(list(rows.values())), paths, trials)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, slow, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_any_float_type_is_scored_in_float64(dtype):
    scores = scored([[1, 2], [2, 4], [-2, 1]], dtype)
    assert scores.dtype == np.float64
    np.testing.assert_allclose(scores, [1, 0], atol=1e-15)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e200])
def test_the_length_of_embeddings_does_not_matter(scale):
    rows = np.array([[1.0, 2.0], [2.0, 1.0], [-1.0, 1.0]])
    np.testing.assert_allclose(scored(rows * scale), scored(rows), atol=1e-14)


def test_scores_never_leave_minus_1_to_1():
    rows = np.random.default_rng(1).normal(size=(200, 3))
    ids = [str(i) for i in range(200)]
    trials = Trials(np.ones(200, dtype=int), ids, ids)
    assert np.abs(trial_scores(rows, ids, trials)).max() <= 1


@pytest.mark.parametrize(
    "row, message",
    [
        ([0, 0], "a/s/2.wav is zero"),
        ([np.nan, 1], "a/s/2.wav is not finite"),
        ([1, -np.inf], "a/s/2.wav is not finite"),
    ],
)
def test_an_unusable_embedding_is_refused_by_its_file(row, message):
    with pytest.raises(ValueError, match=message):
        scored([[1, 2], row, [1, 1]])


def test_a_side_without_an_embedding_is_refused_by_its_file():
    with pytest.raises(ValueError, match="1 files .* first is b/s/1.wav"):
        trial_scores(np.eye(2), ["a/s/1.wav", "a/s/2.wav"], TWO)


def test_ids_that_do_not_fit_the_embeddings_are_refused():
    with pytest.raises(ValueError, match=r"wanted \[3, D\]"):
        scored([[[1, 2]], [[1, 2]], [[1, 2]]])
    with pytest.raises(ValueError, match="come more than once"):
        trial_scores(np.eye(3), ["a/s/1.wav", "a/s/2.wav", "a/s/2.wav"], TWO)
