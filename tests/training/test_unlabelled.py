import logging

import numpy as np
import pytest
import soundfile

from speechbrain_moe.errors import AudioError, HyperparameterError
from speechbrain_moe.training.data import read_table
from speechbrain_moe.training.teacher import Teacher
from speechbrain_moe.training.unlabelled import list_unlabelled


@pytest.fixture
def folder(tmp_path):
    for name, n_samples in {"a/1": 16000, "a/2": 4000, "b/1": 32000}.items():
        (tmp_path / "more" / name).parent.mkdir(parents=True, exist_ok=True)
        noise = np.full(n_samples, 0.1)
        soundfile.write(tmp_path / "more" / f"{name}.wav", noise, 16000)
    return tmp_path / "more"


def knows(*paths):
    rows = {tuple(path.split("/")): i for i, path in enumerate(paths)}
    return Teacher(rows, np.ones((len(paths), 2), np.float32))


def test_files_that_the_teacher_knows_are_listed(folder, tmp_path):
    teacher = knows("more/a/1.wav", "more/b/1.wav")
    csv = tmp_path / "u.csv"
    assert list_unlabelled(csv, folder, teacher, 1.0, 16000) == 2
    table = read_table(csv)
    assert list(table.ID) == ["unlabelled/a/1.wav", "unlabelled/b/1.wav"]
    assert list(table.path) == ["a/1.wav", "b/1.wav"]
    assert list(table.spk_id) == ["", ""]
    assert table.duration_s.tolist() == [1.0, 2.0]


def test_files_left_out_are_counted(folder, tmp_path, caplog):
    teacher = knows("more/a/1.wav", "more/a/2.wav")
    with caplog.at_level(logging.WARNING):
        list_unlabelled(tmp_path / "u.csv", folder, teacher, 1.0, 16000)
    said = "2 of 3 files are left out: 1 without a teacher's embedding, 1"
    assert said in caplog.text


def test_files_of_a_training_that_has_begun_stay(folder, tmp_path):
    csv, both = tmp_path / "u.csv", knows("more/a/1.wav", "more/b/1.wav")
    list_unlabelled(csv, folder, both, 1.0, 16000, has_begun=True)
    before = csv.read_text()
    list_unlabelled(csv, folder, both, 1.0, 16000, has_begun=True)
    fewer = knows("more/a/1.wav")
    with pytest.raises(HyperparameterError, match="others than a training"):
        list_unlabelled(csv, folder, fewer, 1.0, 16000, has_begun=True)
    assert csv.read_text() == before


def test_a_teacher_that_knows_none_is_refused(folder, tmp_path):
    with pytest.raises(HyperparameterError, match="no row for any of 3 files"):
        list_unlabelled(tmp_path / "u.csv", folder, knows("x.wav"), 1, 16000)


def test_a_broken_file_that_the_teacher_knows_is_named(folder, tmp_path):
    (folder / "a/1.wav").write_bytes(b"no audio")
    with pytest.raises(AudioError, match="a/1.wav cannot be read"):
        list_unlabelled(tmp_path / "u.csv", folder, knows("a/1.wav"), 1, 16000)


def test_a_missing_folder_is_named_by_its_key(tmp_path):
    with pytest.raises(AudioError, match="unlabelled_folder=.*is not a folder"):
        list_unlabelled(tmp_path / "u", tmp_path / "x", knows("a"), 1, 16000)
