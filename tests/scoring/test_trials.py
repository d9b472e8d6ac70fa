"""Trial lists: the file form, the missing files, the scores."""

import collections
import math
import os

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring import cosine
from speechbrain_moe.scoring import trials as module
from speechbrain_moe.scoring.trials import (
    TrialListError,
    Trials,
    check_trial_files,
    read_trials,
    trial_scores,
    write_trials,
)

TWO = Trials(
    np.array([1, 0]), ["a/s/1.wav", "a/s/1.wav"], ["a/s/2.wav", "b/s/1.wav"]
)


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


def test_a_path_in_many_trials_is_held_once(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("1 a/s/1.wav a/s/2.wav\n0 b/s/1.wav a/s/1.wav\n")
    trials = read_trials(path)
    assert trials.enrol[0] is trials.test[1]


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


def scored(embeddings, dtype=np.float64):
    ids = ["a/s/1.wav", "a/s/2.wav", "b/s/1.wav"]
    return trial_scores(np.array(embeddings, dtype=dtype), ids, TWO)


def test_scores_are_cosines_by_a_slow_loop(monkeypatch):
    monkeypatch.setattr(cosine, "BLOCK", 7)  # several blocks
    rng = np.random.default_rng(0)
    paths = [f"{i}.wav" for i in range(20)]
    sides = ([paths[i] for i in rng.integers(20, size=40)] for _ in range(2))
    trials = Trials(np.ones(40, dtype=np.int64), *sides)
    rows = dict(zip(paths, rng.normal(size=(20, 6))))
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
    with pytest.raises(InputError, match=message):
        scored([[1, 2], row, [1, 1]])


def test_a_side_without_an_embedding_is_refused_by_its_file():
    with pytest.raises(InputError, match="1 files .* first is b/s/1.wav"):
        trial_scores(np.eye(2), ["a/s/1.wav", "a/s/2.wav"], TWO)


def test_ids_that_do_not_fit_the_embeddings_are_refused():
    with pytest.raises(InputError, match=r"wanted \[3, D\]"):
        scored([[[1, 2]], [[1, 2]], [[1, 2]]])
    with pytest.raises(InputError, match="come more than once"):
        trial_scores(np.eye(3), ["a/s/1.wav", "a/s/2.wav", "a/s/2.wav"], TWO)
