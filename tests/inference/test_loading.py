import json
import shutil
import socket

import pytest
import torch
from safetensors.torch import load_file, save_file
from speechbrain.inference.classifiers import EncoderClassifier
from speechbrain.inference.speaker import SpeakerRecognition

from speechbrain_moe.errors import HyperparameterError, PackageError
from speechbrain_moe.inference import file_hashes, snapshot
from speechbrain_moe.inference.export import export_package, load_encoder
from speechbrain_moe.inference.loading import open_package
from speechbrain_moe.inference.manifest import sign_package


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Any connection fails the test."""

    def refuse(*args, **kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def exported(experiment, tmp_path_factory):
    return export_package(experiment, tmp_path_factory.mktemp("p") / "package")


@pytest.fixture
def package(exported, tmp_path):
    """A package that a test may damage."""
    return shutil.copytree(exported, tmp_path / "package")


def change_manifest(package, **values):
    path = package / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **values}), encoding="utf-8")


def change_graph(package, old, new):
    path = package / "hyperparams.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    sign_package(package)  # as who made it could


@pytest.mark.parametrize("kind", [SpeakerRecognition, EncoderClassifier])
def test_opened_package_is_what_stock_loads(exported, voices, kind):
    wavs = voices(3)
    found = open_package(exported, kind=kind)
    wanted = kind.from_hparams(source=str(exported))
    assert type(found) is kind and not found.mods.training
    assert torch.equal(found.encode_batch(wavs), wanted.encode_batch(wavs))


def test_package_without_a_manifest_is_refused(package):
    (package / "manifest.json").unlink()
    with pytest.raises(PackageError, match="manifest.json: no such file"):
        open_package(package)


@pytest.mark.parametrize(
    "file",
    [
        "embedding_model.safetensors",
        "classifier.safetensors",
        "label_encoder.txt",
        "hyperparams.yaml",
    ],
)
def test_changed_byte_is_refused_by_name_by_ours_and_by_stock(package, file):
    path = package / file
    content = bytearray(path.read_bytes())
    # Finite weights, a comment of the yaml, another speaker: still loadable
    at = 3 if file == "hyperparams.yaml" else len(content) - 4
    at = content.index(b"ann") if b"'ann'" in content else at
    content[at] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(PackageError, match=f"{file} was changed"):
        open_package(package)
    with pytest.raises(PackageError, match=f"{file} is not the {file} that"):
        SpeakerRecognition.from_hparams(source=str(package))


@pytest.mark.parametrize(
    "file", ["embedding_model.safetensors", "hyperparams.yaml"]
)
def test_folder_without_graph_or_weights_is_no_package(package, file):
    (package / file).unlink()
    with pytest.raises(PackageError, match="package is no package: it holds"):
        open_package(package)


def test_missing_file_is_refused_by_name(package):
    (package / "label_encoder.txt").unlink()
    with pytest.raises(PackageError, match="holds no label_encoder.txt"):
        open_package(package)


def test_a_file_of_a_package_is_refused_as_one(package):
    with pytest.raises(PackageError, match="yaml: is a file; give the folder"):
        open_package(package / "hyperparams.yaml")


def test_missing_expert_is_refused(package):
    path = package / "embedding_model.safetensors"
    state = load_file(path)
    kept = {k: v for k, v in state.items() if "experts.3." not in k}
    save_file(kept, path)
    sign_package(package)
    with pytest.raises(PackageError, match="missing, such as .*experts.3"):
        open_package(package)


def test_package_of_a_later_version_is_refused_with_the_pip_line(package):
    change_manifest(package, package_version="7.1.0")
    wanted = r'written by .* 7.1.0, .* pip install "speechbrain-moe>=7.1.0"'
    with pytest.raises(PackageError, match=wanted):
        open_package(package)
    with pytest.raises(PackageError, match=wanted):
        SpeakerRecognition.from_hparams(source=str(package))


@pytest.mark.parametrize("version", ["0.0.9", "0.1.99", "0.1.0.dev1"])
def test_package_of_an_older_or_patched_version_opens(package, version):
    change_manifest(package, package_version=version)
    assert isinstance(open_package(package), SpeakerRecognition)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"files": [1]}', "[" * 100_000]
)
def test_damaged_manifest_is_refused_by_name(package, text):
    (package / "manifest.json").write_text(text)
    with pytest.raises(PackageError, match="manifest.json"):
        open_package(package)
    with pytest.raises(PackageError, match="manifest.json is damaged"):
        SpeakerRecognition.from_hparams(source=str(package))


def test_file_that_the_manifest_does_not_name_is_refused_by_stock(package):
    path = package / "manifest.json"
    files = json.loads(path.read_text())["files"]
    del files["classifier.safetensors"]
    change_manifest(package, files=files)
    with pytest.raises(PackageError, match="classifier.safetensors is not"):
        SpeakerRecognition.from_hparams(source=str(package))


def test_load_encoder_runs_no_code_of_a_package_either(package, tmp_path):
    mark = tmp_path / "mark"
    code = f"x: !apply:os.mkdir [{mark}]\n"
    change_graph(package, "pretrainer:", f"{code}pretrainer:")
    with pytest.raises(PackageError, match="!apply:os.mkdir would run code"):
        load_encoder(package)
    assert not mark.exists()
    load_encoder(package, allow_code=True)
    assert mark.is_dir()


@pytest.mark.parametrize("name", ["model.onnx", "custom.py", "README.md"])
def test_card_and_files_that_are_not_loaded_may_be_anything(package, name):
    (package / name).write_text("raise SystemExit")
    assert isinstance(open_package(package), SpeakerRecognition)


def test_code_in_the_graph_does_not_run_unless_it_is_allowed(package, tmp_path):
    mark = tmp_path / "mark"
    code = f"x: !apply:os.mkdir [{mark}]\n"
    change_graph(package, "pretrainer:", f"{code}pretrainer:")
    with pytest.raises(PackageError, match="!apply:os.mkdir would run code"):
        open_package(package)
    assert not mark.exists()
    open_package(package, allow_code=True)
    assert mark.is_dir()


def test_module_whose_weights_no_file_fills_is_refused(package):
    change_graph(
        package,
        "pretrainer:",
        "  spare: !new:speechbrain_moe.lobes.gate.GatingCNN\n"
        "    n_experts: 2\npretrainer:",
    )
    with pytest.raises(PackageError, match="module spare .* would be random"):
        open_package(package)


@pytest.mark.parametrize(
    "key", ["conditions: {embedding_model: false}", "paths: {}"]
)
def test_pretrainer_that_is_told_to_leave_files_out_is_refused(package, key):
    change_graph(package, "  loadables:", f"  {key}\n  loadables:")
    with pytest.raises(PackageError, match="cannot be built.*TypeError"):
        open_package(package)


def test_pretrainer_that_does_not_load_strictly_is_refused(package):
    own = "speechbrain_moe.inference.package.PackagePretrainer"
    stock = "speechbrain.utils.parameter_transfer.Pretrainer"
    change_graph(package, own, stock)
    with pytest.raises(PackageError, match="parameter_transfer.Pretrainer wo"):
        open_package(package)
    for name in ("embedding_model", "classifier", "label_encoder"):
        (package / f"{name}.ckpt").write_bytes(b"")
    sign_package(package)
    with pytest.raises(PackageError, match="cannot be built"):
        open_package(package, allow_code=True)


@pytest.mark.parametrize("value", ["null", "[1, 2]", "none-such"])
def test_value_that_fits_no_class_is_one_error(package, value):
    change_graph(package, "top_k: 2", f"top_k: {value}")
    with pytest.raises(PackageError, match="cannot be built by speechbrain-m"):
        open_package(package)


@pytest.mark.parametrize("source", ["no/such/folder", "./here", "alone", ""])
def test_what_is_neither_folder_nor_hub_id_is_told_so(source, tmp_path):
    source = source or str(tmp_path / "nothing")
    with pytest.raises(PackageError, match="there is no such folder, and a H"):
        open_package(source)


@pytest.mark.parametrize("name", ["revision", "savedir"])
def test_folder_takes_no_argument_of_the_hub(exported, name):
    with pytest.raises(PackageError, match=f"{name} is for Hub ids"):
        open_package(exported, **{name: "v1"})


def test_device_that_is_not_there_is_refused(exported):
    with pytest.raises(HyperparameterError, match="device tpu7 cannot"):
        open_package(exported, device="tpu7")


def test_device_may_be_that_of_torch(exported, experiment):
    device = torch.device("cpu")
    assert open_package(exported, device=device).device == "cpu"
    assert load_encoder(experiment, device=device).device == "cpu"


def test_files_beside_those_of_the_package_are_not_read(package, monkeypatch):
    (package / "recording.wav").touch()
    read, sha256_of = [], file_hashes.sha256_of

    def watched(path):
        read.append(path.name)
        return sha256_of(path)

    monkeypatch.setattr(file_hashes, "sha256_of", watched)
    open_package(package)
    assert "recording.wav" not in read and len(read) > 3


def test_file_that_may_not_be_read_is_refused_by_name(package, monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(file_hashes, "sha256_of", refused)
    with pytest.raises(PackageError, match="cannot be read .Permission denied"):
        open_package(package)


def test_hub_that_cannot_be_reached_is_one_error(monkeypatch):
    def refuse(*args, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(snapshot.HfApi, "model_info", refuse)
    with pytest.raises(PackageError, match="user/voices: the Hub cannot be r"):
        open_package("user/voices")
