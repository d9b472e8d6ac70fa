import re
import shutil
import socket
import warnings
from pathlib import Path

import pytest
import soundfile
import torch
from safetensors.torch import load_file
from speechbrain.inference.classifiers import EncoderClassifier
from speechbrain.inference.speaker import SpeakerRecognition

from speechbrain_moe.errors import AudioError, HyperparameterError, PackageError
from speechbrain_moe.inference.experiment import read_experiment
from speechbrain_moe.inference.export import (
    export_package,
    is_package,
    load_encoder,
)

WEIGHTS = {
    "embedding_model.safetensors",
    "classifier.safetensors",
    "label_encoder.txt",
}
FILES = WEIGHTS | {
    "hyperparams.yaml",
    "config.json",
    "manifest.json",
    "README.md",
}


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Any connection fails the test."""

    def refuse(*args, **kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="session")
def exported(experiment, tmp_path_factory):
    return export_package(experiment, tmp_path_factory.mktemp("p") / "package")


@pytest.fixture
def package(exported, tmp_path):
    """A package that a test may damage."""
    return shutil.copytree(exported, tmp_path / "package")


@pytest.fixture
def training(experiment, tmp_path):
    """A training folder that a test may damage."""
    return shutil.copytree(experiment, tmp_path / "training")


@pytest.fixture
def wavs(voices):
    return voices(3, 16000)


@pytest.fixture
def files(wavs, tmp_path):
    paths = [str(tmp_path / f"{i}.wav") for i in range(3)]
    for path, wav in zip(paths, wavs):
        soundfile.write(path, wav.numpy(), 16000, subtype="FLOAT")
    return paths


def stock(package, kind=SpeakerRecognition, **kwargs):
    return kind.from_hparams(source=str(package), **kwargs)


def change_checkpoint(folder, change, name="embedding_model"):
    path = folder / "save" / "CKPT+best" / f"{name}.ckpt"
    state = torch.load(path)
    change(state)
    torch.save(state, path)
    path.with_name("sizes.json").write_text("{}")  # still whole


def test_package_holds_its_files_and_no_leftovers(exported):
    assert {path.name for path in exported.iterdir()} == FILES
    assert is_package(exported)
    assert [path.name for path in exported.parent.iterdir()] == ["package"]


def test_yaml_stands_alone(exported, experiment):
    text = (exported / "hyperparams.yaml").read_text()
    for forbidden in ("!include", "!apply", "!PLACEHOLDER", "!ref"):
        assert forbidden not in text
    assert not re.search(r"(^|[\s:'\"])/\w", text, re.MULTILINE)
    assert str(experiment.parent) not in text


@pytest.mark.parametrize("kind", [EncoderClassifier, SpeakerRecognition])
def test_stock_classes_give_the_checkpoints_embeddings(
    exported, experiment, wavs, kind
):
    lengths = torch.tensor([1.0, 0.5, 0.8])
    found = stock(exported, kind).encode_batch(wavs, lengths)
    wanted = load_encoder(experiment).encode_batch(wavs, lengths)
    assert found.shape == (3, 1, 32)
    assert torch.allclose(found, wanted, atol=1e-6)


def test_package_is_that_of_the_lowest_dev_eer(exported, experiment):
    found = read_experiment(experiment)
    worse = torch.load(
        experiment / "save" / "CKPT+worse" / "embedding_model.ckpt"
    )
    weights = load_file(exported / "embedding_model.safetensors")
    key = "experts.experts.0.fc.conv.weight"
    assert found.checkpoint == "CKPT+best" and found.meta["dev_eer"] == 10.0
    assert not torch.allclose(weights[key], worse[key])


def test_normalize_changes_nothing(exported, wavs):
    encoder = stock(exported)
    plain = encoder.encode_batch(wavs)
    assert torch.equal(encoder.encode_batch(wavs, normalize=True), plain)
    assert torch.allclose(plain.norm(dim=2), torch.ones(3, 1), atol=1e-6)


def test_scores_equal_those_of_the_checkpoint(exported, experiment, files):
    one, other = stock(exported), load_encoder(experiment)
    for enrol, test in ((0, 1), (1, 2), (0, 0)):
        found, _ = one.verify_files(files[enrol], files[test])
        wanted, _ = other.verify_files(files[enrol], files[test])
        assert found.item() == pytest.approx(wanted.item(), abs=1e-5)


def test_verify_batch_gives_cosines(exported, wavs):
    encoder = stock(exported)
    scores, decisions = encoder.verify_batch(wavs, wavs.flip(0))
    embeddings = encoder.encode_batch(wavs).squeeze(1)
    wanted = (embeddings * embeddings.flip(0)).sum(1)
    assert torch.allclose(scores.flatten(), wanted, atol=1e-5)
    assert decisions.flatten().tolist() == (scores > 0.25).flatten().tolist()


def test_a_file_against_itself_is_the_same_speaker(exported, files):
    score, decision = stock(exported).verify_files(files[0], files[0])
    assert score.item() == pytest.approx(1, abs=1e-5) and decision.item()


def test_classifier_keeps_the_recorded_speakers_alone(
    exported, experiment, wavs
):
    encoder = stock(exported, EncoderClassifier)
    found, score, index, labels = encoder.classify_batch(wavs)
    state = torch.load(experiment / "save" / "CKPT+best" / "classifier.ckpt")
    centres = torch.nn.functional.normalize(state["weight"][:3])
    wanted = encoder.encode_batch(wavs).squeeze(1) @ centres.T
    assert state["weight"].shape[0] == 6  # 3 speakers at 2 speeds
    assert found.shape == (3, 3)
    assert torch.allclose(found, wanted, atol=1e-5)
    assert labels == [["ann", "bob", "cid"][i] for i in index]


def test_yaml_names_the_recorded_speakers_alone(exported):
    text = (exported / "hyperparams.yaml").read_text()
    assert re.search(r"^n_speakers: (&\w+ )?3$", text, re.MULTILINE)


def test_classify_file_agrees_with_classify_batch(exported, wavs, files):
    encoder = stock(exported, EncoderClassifier)
    from_file, *_, name = encoder.classify_file(files[1])
    from_batch, *_, names = encoder.classify_batch(wavs[1:2])
    assert torch.allclose(from_file, from_batch, atol=1e-5) and name == names


def test_savedir_works_too(exported, wavs, tmp_path):
    plain = stock(exported).encode_batch(wavs)
    for _ in range(2):  # the second time from what the first left there
        encoder = stock(exported, savedir=str(tmp_path / "saved"))
        assert torch.equal(encoder.encode_batch(wavs), plain)


def test_two_loads_are_identical(exported, wavs):
    one, other = stock(exported), stock(exported)
    assert torch.equal(one.encode_batch(wavs), other.encode_batch(wavs))


def test_stock_loading_warns_of_nothing(exported, files):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stock(exported, EncoderClassifier).classify_file(files[0])
    assert [str(warning.message) for warning in caught] == []


def test_load_encoder_takes_a_package_too(exported, wavs):
    found = load_encoder(exported)
    assert not found.mods.training
    assert torch.equal(
        found.encode_batch(wavs), stock(exported).encode_batch(wavs)
    )


def test_exporting_again_writes_the_same_bytes(experiment, package):
    before = {path.name: path.read_bytes() for path in package.iterdir()}
    export_package(experiment, package)
    after = {path.name: path.read_bytes() for path in package.iterdir()}
    assert after == before


def test_older_package_is_replaced(experiment, package, exported):
    weights = package / "classifier.safetensors"
    weights.write_bytes(b"old")
    assert export_package(experiment, package) == package
    wanted = (exported / "classifier.safetensors").read_bytes()
    assert weights.read_bytes() == wanted


def test_leftover_of_a_killed_export_is_no_obstacle(experiment, tmp_path):
    leftover = tmp_path / ".package.new"
    leftover.mkdir()
    (leftover / "half").touch()
    found = export_package(experiment, tmp_path / "package")
    assert {path.name for path in found.iterdir()} == FILES
    assert not leftover.exists()


def test_folder_with_other_files_is_refused_and_left_alone(
    experiment, tmp_path
):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.txt").write_text("years of work")
    with pytest.raises(PackageError, match="thesis holds chapter.txt"):
        export_package(experiment, folder)
    assert (folder / "chapter.txt").read_text() == "years of work"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]


def test_package_with_a_file_of_the_users_is_not_wiped(experiment, package):
    (package / "notes.txt").write_text("mine")
    with pytest.raises(PackageError, match="holds notes.txt"):
        export_package(experiment, package)
    assert (package / "notes.txt").read_text() == "mine"


def test_file_in_the_place_of_a_package_is_refused(experiment, tmp_path):
    (tmp_path / "package").write_text("a file")
    with pytest.raises(PackageError, match="is a file"):
        export_package(experiment, tmp_path / "package")


@pytest.mark.parametrize("name", [".", ".."])
def test_folder_without_a_name_of_its_own_is_refused(
    experiment, tmp_path, monkeypatch, name
):
    (tmp_path / "below" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "below" / "here")
    with pytest.raises(PackageError, match="has no name: export to a new"):
        export_package(experiment, name)


def test_device_that_is_not_there_is_refused_by_name(experiment):
    with pytest.raises(HyperparameterError, match="device tpu7 cannot"):
        load_encoder(experiment, device="tpu7")


def test_failed_export_leaves_the_older_package(training, package):
    before = {path.name: path.read_bytes() for path in package.iterdir()}
    change_checkpoint(training, lambda state: state.popitem())
    with pytest.raises(PackageError, match="checkpoint's embedding_model"):
        export_package(training, package)
    after = {path.name: path.read_bytes() for path in package.iterdir()}
    assert after == before


def test_examples_come_along_numbered(experiment, files, tmp_path):
    found = export_package(experiment, tmp_path / "p", examples=files[:2])
    given = Path(files[1]).read_bytes()
    assert (found / "example_2.wav").read_bytes() == given
    assert {path.name for path in found.iterdir()} == FILES | {
        "example_1.wav",
        "example_2.wav",
        "golden.json",
    }
    export_package(experiment, found)  # they are no obstacle, and go
    assert {path.name for path in found.iterdir()} == FILES


def test_example_of_another_rate_is_refused_by_name(experiment, tmp_path):
    soundfile.write(tmp_path / "slow.wav", torch.ones(800).numpy(), 8000)
    with pytest.raises(AudioError, match="slow.wav"):
        export_package(
            experiment, tmp_path / "p", examples=[tmp_path / "slow.wav"]
        )
    assert not (tmp_path / "p").exists()
