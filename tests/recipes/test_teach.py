"""A file of a teacher's embeddings, from folders of speech."""

import shutil
import sys

import numpy as np
import pytest
import teach
import torch
from stand_in_teacher import stand_in

from speechbrain_moe.training.teacher import read_teacher


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Weights of the stand-in, whose class is where CAM++'s is."""
    return stand_in(monkeypatch, tmp_path)


def run(weights, out, *folders):
    return teach.main([str(weights), str(out), *map(str, folders)])


def test_training_reads_what_is_written(weights, corpus, tmp_path):
    out = tmp_path / "teacher.npz"
    assert run(weights, out, corpus / "dev", corpus / "test") == 0
    teacher = read_teacher(out)
    names = {p.relative_to(corpus).parts for p in corpus.rglob("*.wav")}
    assert teacher.rows.keys() == names
    assert teacher.embeddings.shape == (len(names), 192)


def test_folders_may_be_relative_and_links(
    weights, corpus, tmp_path, monkeypatch
):
    (tmp_path / "linked").symlink_to(corpus)
    monkeypatch.chdir(tmp_path)
    assert run(weights, tmp_path / "teacher.npz", "linked/dev") == 0
    rows = read_teacher(tmp_path / "teacher.npz").rows
    assert ("dev", "id00", "s01", "00000.wav") in rows


@pytest.mark.parametrize("name", ["", "more/dev"])
def test_folders_without_names_of_their_own_are_refused(
    weights, corpus, tmp_path, capsys, name
):
    folders = corpus / "dev", name and corpus / name or "."
    assert run(weights, tmp_path / "teacher.npz", *folders) == 2
    assert "one of its own" in capsys.readouterr().err


def test_batches_change_an_embedding_little(weights, corpus, tmp_path):
    out = tmp_path / "teacher.npz"
    run(weights, out, corpus / "dev")
    teacher = read_teacher(out)
    path = ("dev", "id00", "s01", "00000.wav")
    alone = teach.embed(teach.load_teacher(weights), [corpus.joinpath(*path)])
    alone = alone[0] / np.linalg.norm(alone[0].astype(float))
    assert teacher.embeddings[teacher.rows[path]] @ alone > 0.99


def test_rows_that_are_there_are_kept(weights, corpus, tmp_path):
    out = tmp_path / "teacher.npz"
    marked = np.full((1, 192), 2.0, dtype=np.float16)
    np.savez(out, paths=["dev/id00/s01/00000.wav"], embeddings=marked)
    run(weights, out, corpus / "dev")
    with np.load(out) as file:
        rows = dict(zip(file["paths"].tolist(), file["embeddings"]))
    assert len(rows) == 40
    assert (rows["dev/id00/s01/00000.wav"] == 2).all()
    assert not (rows["dev/id00/s01/00001.wav"] == 2).all()


def test_broken_files_are_named_and_the_rest_is_kept(
    weights, corpus, tmp_path, capsys
):
    speech = shutil.copytree(corpus / "dev/id00", tmp_path / "speech/id00")
    (speech / "s01/broken.wav").write_bytes(b"no audio")
    out = tmp_path / "teacher.npz"
    assert run(weights, out, speech.parent) == 2
    assert "broken.wav" in capsys.readouterr().err
    n_whole = len([*speech.rglob("*.wav")]) - 1
    assert len(read_teacher(out).rows) == n_whole


def test_other_weights_end_in_a_clear_error(weights, corpus, tmp_path, capsys):
    torch.save({"other": torch.zeros(1)}, weights)
    assert run(weights, tmp_path / "t.npz", corpus / "dev") == 2
    assert f"{weights} holds no weights of CAM++" in capsys.readouterr().err


def test_without_its_network_the_error_says_what_to_install(
    corpus, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "speakerlab", None)
    assert run(tmp_path / "w.pt", tmp_path / "t.npz", corpus / "dev") == 2
    assert "pip install --no-deps speakerlab-slim" in capsys.readouterr().err
