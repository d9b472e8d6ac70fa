"""A file of a teacher's embeddings, from folders of speech."""

import sys
import types

import numpy as np
import pytest
import teach
import torch

from speechbrain_moe.training.teacher import read_teacher
from speechbrain_moe.training.teacher_crops import read_crops


class Statistics(torch.nn.Module):
    """Mean and deviation over time."""

    def forward(self, frames):
        return torch.cat([frames.mean(2), frames.std(2)], dim=1)


class MeanTeacher(torch.nn.Module):
    """Stands for CAM++: frames of 20 ms, pooled, then a linear map."""

    def __init__(self, feat_dim, embedding_size):
        super().__init__()
        self.xvector = torch.nn.Module()
        self.xvector.out_nonlinear = torch.nn.Conv1d(feat_dim, 9, 2, 2)
        self.xvector.stats = Statistics()
        self.xvector.dense = torch.nn.Linear(18, embedding_size)

    def forward(self, feats):
        frames = self.xvector.out_nonlinear(feats.transpose(1, 2))
        return self.xvector.dense(self.xvector.stats(frames))


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Weights of the stand-in, whose class is where CAM++'s is."""
    name = "speakerlab.models.campplus.DTDNN"
    parts = name.split(".")
    for i in range(1, len(parts) + 1):
        module = types.ModuleType(".".join(parts[:i]))
        monkeypatch.setitem(sys.modules, module.__name__, module)
    module.CAMPPlus = MeanTeacher
    torch.manual_seed(0)
    path = tmp_path / "teacher.pt"
    torch.save(MeanTeacher(80, 192).state_dict(), path)
    return path


def run(weights, out, *folders):
    return teach.main([str(weights), str(out), *map(str, folders)])


def test_training_reads_what_is_written(weights, corpus, tmp_path):
    out = tmp_path / "teacher.npz"
    assert run(weights, out, corpus / "dev", corpus / "test") == 0
    teacher = read_teacher(out)
    names = {p.relative_to(corpus).parts for p in corpus.rglob("*.wav")}
    assert teacher.rows.keys() == names
    assert teacher.embeddings.shape == (len(names), 192)


def test_batches_change_an_embedding_little(weights, corpus, tmp_path):
    out = tmp_path / "teacher.npz"
    run(weights, out, corpus / "dev")
    teacher = read_teacher(out)
    path = ("dev", "id00", "s01", "00000.wav")
    network = teach.load_teacher(weights)
    (alone,), _ = teach.embed(network, [corpus.joinpath(*path)])
    alone = alone / np.linalg.norm(alone.astype(float))
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


def test_crops_are_told_of_as_if_each_were_a_file(weights, corpus, tmp_path):
    """The stand-in hears nothing but what lies in the crop."""
    out, path = tmp_path / "teacher.npz", corpus / "dev/id00/s01/00000.wav"
    assert run(weights, out, corpus / "dev", "--crops", "0.5", "9") == 0
    teacher, crops = read_teacher(out), read_crops(out, 0.5)
    row = teacher.rows["dev", "id00", "s01", "00000.wav"]
    n_crops = crops.firsts[row + 1] - crops.firsts[row]
    assert n_crops > 2 and crops.hop_s == pytest.approx(0.24)
    network = teach.load_teacher(weights)
    feats = teach.teacher_features(path)
    for k in range(n_crops):
        with torch.no_grad():
            wanted = network(feats[None, 24 * k : 24 * k + 50])[0]
        found = torch.tensor(crops.nearest(row, 0.24 * k))
        assert torch.cosine_similarity(found, wanted, dim=0) > 0.999
    whole = read_crops(out, 9)
    assert len(whole.embeddings) == len(teacher.embeddings)
    same = (whole.embeddings * teacher.embeddings).sum(1)
    assert same.min() > 0.999


def test_crops_that_are_there_are_kept_and_another_length_is_made(
    weights, corpus, tmp_path, monkeypatch
):
    out, asked = tmp_path / "teacher.npz", []
    run(weights, out, corpus / "test", "--crops", "0.5")
    embed = teach.embed
    monkeypatch.setattr(
        teach, "embed", lambda *given: asked.append(given) or embed(*given)
    )
    before = read_crops(out, 0.5).embeddings
    run(weights, out, corpus / "test", "--crops", "0.5")
    assert not asked
    assert np.array_equal(read_crops(out, 0.5).embeddings, before)
    run(weights, out, corpus / "test", "--crops", "0.7")
    assert asked and read_crops(out, 0.7).firsts[-1] > 0


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
