"""A file of a teacher's embeddings, from folders of speech."""

import shutil
import sys

import numpy as np
import pytest
import soundfile as sf
import teach
import torch
from stand_in_teacher import stand_in

from speechbrain_moe.audio import read_audio
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


def test_folders_of_one_name_give_their_files_to_one_part(
    weights, corpus, tmp_path
):
    for voice in ("v1", "v2"):
        shutil.copytree(corpus / "dev/id00", tmp_path / voice / "dev" / voice)
    folders = tmp_path / "v1/dev", tmp_path / "v2/dev"
    assert run(weights, tmp_path / "teacher.npz", *folders) == 0
    rows = read_teacher(tmp_path / "teacher.npz").rows
    assert len(rows) == 10
    assert ("dev", "v2", "s01", "00000.wav") in rows


def test_two_files_of_one_name_are_refused(weights, corpus, tmp_path, capsys):
    shutil.copytree(corpus / "dev", tmp_path / "dev")
    folders = corpus / "dev", tmp_path / "dev"
    assert run(weights, tmp_path / "teacher.npz", *folders) == 2
    said = capsys.readouterr().err
    assert "would both be dev/id00/s01/00000.wav: rename" in said
    assert run(weights, tmp_path / "teacher.npz", ".") == 2
    assert "rows go by its name" in capsys.readouterr().err


def test_long_files_are_heard_as_a_whole_beside_short_ones(
    weights, corpus, tmp_path
):
    files = sorted((corpus / "dev/id00").rglob("*.wav"))[:3]
    wavs = [read_audio(file, 16000) for file in files]
    whole = np.concatenate([0.1 * wavs[0], *wavs[1:]])
    for name, wav in {"short": whole[:6000], "long": whole}.items():
        (tmp_path / "speech").mkdir(exist_ok=True)
        sf.write(tmp_path / f"speech/{name}.wav", wav, 16000)
    run(weights, tmp_path / "teacher.npz", tmp_path / "speech")
    with np.load(tmp_path / "teacher.npz") as file:
        rows = dict(zip(file["paths"].tolist(), file["embeddings"]))
    path = tmp_path / "speech/long.wav"
    alone = teach.embed(teach.load_teacher(weights), [path])
    assert np.array_equal(rows["speech/long.wav"], alone[0])
    assert not np.array_equal(rows["speech/short.wav"], alone[0])


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


@pytest.mark.parametrize("name", ["teacher", "teacher.npy", "teacher.NPZ"])
def test_a_name_that_is_no_npz_is_refused_before_anything_is_embedded(
    weights, corpus, tmp_path, capsys, monkeypatch, name
):
    monkeypatch.setattr(teach, "embed", lambda *_: 1 / 0)
    before = sorted(tmp_path.iterdir())
    assert run(weights, tmp_path / name, corpus / "dev") == 2
    said = capsys.readouterr().err
    assert f"{tmp_path / name}: give a name that ends in .npz" in said
    assert sorted(tmp_path.iterdir()) == before


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
