"""A stranger's training folder: no code runs, no bare traceback."""

import shutil

import numpy as np
import pytest
import soundfile

from speechbrain_moe.cli import main
from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference import doctor
from speechbrain_moe.inference.experiment import read_experiment
from speechbrain_moe.inference.export import export_package, load_encoder


@pytest.fixture
def training(experiment, tmp_path):
    return shutil.copytree(experiment, tmp_path / "training")


@pytest.fixture
def code(training, tmp_path):
    """A training whose model section makes a folder; that folder."""
    path, mark = training / "hyperparams.yaml", tmp_path / "mark"
    text = path.read_text(encoding="utf-8")
    call = f"model:\n  x: !apply:os.mkdir [{mark}]\n"
    path.write_text(text.replace("model:\n", call, 1), encoding="utf-8")
    return training, mark


@pytest.mark.parametrize("command", ["verify", "route", "export", "doctor"])
def test_commands_run_no_code_of_a_training(command, code, tmp_path, capsys):
    training, mark = code
    wav = tmp_path / "a.wav"
    soundfile.write(wav, np.random.default_rng(0).normal(0, 0.1, 32000), 16000)
    arguments = {
        "verify": [wav, wav, "--model", training],
        "route": [wav, "--model", training],
        "export": [training, tmp_path / "package"],
        "doctor": ["--model", training],
    }[command]
    status = main([command, *map(str, arguments)])
    said = capsys.readouterr()
    assert status and "!apply:os.mkdir would run code" in said.out + said.err
    assert not mark.exists()


def test_allowed_code_runs(code):
    training, mark = code
    load_encoder(training, allow_code=True)
    assert mark.is_dir()


def test_export_allows_the_code_of_a_training_of_ones_own(code, tmp_path):
    training, mark = code
    export_package(training, tmp_path / "package", allow_code=True)
    assert mark.is_dir()


def test_doctor_runs_no_code_of_a_hub_repository(code, monkeypatch):
    training, mark = code
    monkeypatch.setattr(doctor, "fetch_snapshot", lambda *_: training)
    _, wrong = doctor.examine_model("stranger/model", "cpu")
    assert "is no package" in wrong[0]
    assert not mark.exists()


@pytest.mark.parametrize(
    "text, why",
    [
        (b"a: [1", "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"", "no model section"),
        (b"[1, 2]", "no model section"),
        (b"model: 5", "no model section"),
        (b"model: !new:torch.nn.ModuleList []", "no model section"),
        (b"model:\n  classifier: 1", "with embedding_model: it was not"),
        (
            b"model: {embedding_model: {}, label_encoder: {}, classifier: 1}",
            "with classifier: it was not",
        ),
        (b"[" * 5000, "cannot be read"),
    ],
)
def test_other_files_of_that_name_are_refused_by_name(training, text, why):
    (training / "hyperparams.yaml").write_bytes(text)
    with pytest.raises(PackageError, match=f"hyperparams.yaml.*{why}"):
        read_experiment(training)


def test_a_graph_that_cannot_be_built_is_refused(training):
    path = training / "hyperparams.yaml"
    text = path.read_text(encoding="utf-8")
    assert "expert_res2net_scale: 4" in text
    path.write_text(text.replace("res2net_scale: 4", "res2net_scale: 0"))
    with pytest.raises(PackageError, match="cannot be built by"):
        read_experiment(training)


@pytest.mark.parametrize("text", ["", "'ann' => 0\n"])
def test_labels_cut_off_are_refused_by_name(training, text):
    (training / "save" / "label_encoder.txt").write_text(text)
    with pytest.raises(PackageError, match="label_encoder.txt: not a whole"):
        read_experiment(training)
