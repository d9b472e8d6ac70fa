import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from speechbrain.inference.speaker import SpeakerRecognition

from speechbrain_moe import __version__
from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.about import About
from speechbrain_moe.inference.export import (
    export_package,
    is_package,
    load_encoder,
)
from speechbrain_moe.inference.manifest import (
    check_files,
    read_manifest,
    sign_package,
    verify_package,
)

WEIGHTS = (
    "embedding_model.safetensors",
    "classifier.safetensors",
    "label_encoder.txt",
)


@pytest.fixture(scope="session")
def exported(experiment, tmp_path_factory):
    about = About(version="2")
    folder = tmp_path_factory.mktemp("signed") / "package"
    return export_package(experiment, folder, about)


@pytest.fixture
def package(exported, tmp_path):
    """A package that a test may damage."""
    return shutil.copytree(exported, tmp_path / "package")


@pytest.fixture
def older_package(package):
    """A package of before there were manifests, that a test may damage."""
    for name in ("config.json", "manifest.json", "README.md"):
        (package / name).unlink()
    return package


def change(package, name, old, new):
    path = package / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def stock(package):
    return SpeakerRecognition.from_hparams(source=str(package))


def test_whole_package_passes_and_tells_what_was_checked(exported):
    found = verify_package(exported)
    names = {path.name for path in exported.iterdir()} - {"manifest.json"}
    assert {*found.files} == names
    assert found.n_bytes == sum((exported / n).stat().st_size for n in names)
    state = load_encoder(exported).mods.embedding_model.state_dict()
    assert found.n_weights == sum(w.numel() for w in state.values())
    assert found[3:] == (__version__, "2")


def test_manifest_tells_origin_and_config(exported):
    said = read_manifest(exported)
    assert said["training"] == {
        "commit": None,
        "checkpoint": "CKPT+best",
        "epoch": 2,
        "dev_eer": 10.0,
    }
    assert said["config"]["n_experts"] == 4
    assert said["config"]["expert_channels"] == [16, 16, 16, 16, 48]


def test_whoever_reads_one_file_reads_all(exported):
    assert len({path.stat().st_mode for path in exported.iterdir()}) == 1


def test_manifest_names_no_path_of_the_machine(exported, experiment):
    text = (exported / "manifest.json").read_text()
    assert str(experiment.parent) not in text


@pytest.mark.parametrize(
    "name", ["hyperparams.yaml", "classifier.safetensors", "README.md"]
)
def test_one_changed_byte_is_refused_by_name(package, name):
    content = bytearray((package / name).read_bytes())
    content[-1] ^= 1
    (package / name).write_bytes(content)
    with pytest.raises(PackageError, match=f"/{name} was changed"):
        verify_package(package)


def test_truncated_file_is_refused_with_both_sizes(package):
    path = package / "classifier.safetensors"
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(PackageError, match=f"{size - 5} bytes, .* says {size}"):
        verify_package(package)


def test_missing_file_is_refused_by_name(package):
    (package / "config.json").unlink()
    with pytest.raises(PackageError, match="holds no config.json"):
        verify_package(package)


@pytest.mark.parametrize("name", ["extra.py", "below/extra.ckpt"])
def test_surplus_file_is_refused_by_name(package, name):
    (package / "below").mkdir()
    (package / name).write_text("surplus")
    with pytest.raises(PackageError, match=f"{name} is not in manifest.json"):
        verify_package(package)


def test_edited_card_and_added_file_are_named_until_they_are_signed(package):
    before = read_manifest(package)
    (package / "README.md").write_text("in my own words")
    with pytest.raises(PackageError, match="README.md was changed.*sign_pac"):
        verify_package(package)
    (package / "model.onnx").write_bytes(b"onnx")
    sign_package(package)
    assert "model.onnx" in verify_package(package).files
    after = read_manifest(package)
    assert {**after, "files": 0} == {**before, "files": 0}


def test_package_of_a_later_version_is_told_so_not_that_it_runs_code(package):
    rewrite_yaml(package, "PassThrough", "ClassOfLater")
    change(package, "manifest.json", f'"{__version__}"', '"99.0.0"')
    with pytest.raises(PackageError, match="written by .*99.0.0, and"):
        verify_package(package)


def test_module_whose_weights_no_file_fills_is_refused_though_signed(package):
    spare = "  spare: !new:speechbrain_moe.lobes.gate.GatingCNN\n"
    rewrite_yaml(
        package,
        "\npretrainer:",
        f"\n{spare}    n_experts: 2\npretrainer:",
    )
    with pytest.raises(PackageError, match="module spare .* would be random"):
        verify_package(package)


def test_files_of_git_and_the_hub_do_not_count(package):
    (package / ".cache").mkdir()
    for name in (".gitattributes", ".cache/version"):
        (package / name).write_text("theirs")
    assert check_files(package) == read_manifest(package)


def test_package_without_a_manifest_is_told_to_export_again(package):
    (package / "manifest.json").unlink()
    with pytest.raises(PackageError, match="manifest.json: no such file.*exp"):
        verify_package(package)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"files": {}}',
        '{"files": {"a": {"size": 1}}}',
        "[" * 100_000,
    ],
)
def test_damaged_manifest_is_refused_by_name(package, content):
    (package / "manifest.json").write_text(content)
    with pytest.raises(PackageError, match="manifest.json is damaged"):
        verify_package(package)


def test_manifest_of_no_files_is_refused(package):
    said = {**read_manifest(package), "files": {}}
    (package / "manifest.json").write_text(json.dumps(said))
    with pytest.raises(PackageError, match="names no files"):
        verify_package(package)


def test_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(PackageError, match="nowhere: no such folder"):
        verify_package(tmp_path / "nowhere")


def test_weights_that_are_not_finite_are_refused_though_signed(package):
    path = package / "embedding_model.safetensors"
    state = load_file(path)
    state["gate.output.bias"][0] = torch.inf
    save_file(state, path)
    sign_package(package)
    with pytest.raises(PackageError, match="gate.output.bias holds NaN or Inf"):
        verify_package(package)


def rewrite_yaml(package, old, new):
    change(package, "hyperparams.yaml", old, new)
    sign_package(package)


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("n_experts: ", "n_experts: [", "hyperparams.yaml cannot be read"),
        ("PassThrough", "NoSuchClass", "NoSuchClass would run code"),
        ("n_mels: 80", "n_mels: eighty", "hyperparams.yaml cannot be built"),
    ],
)
def test_yaml_that_cannot_be_built_is_refused_though_signed(
    package, old, new, said
):
    rewrite_yaml(package, old, new)
    with pytest.raises(PackageError, match=said):
        verify_package(package)


def test_code_in_the_yaml_runs_only_where_allowed(package, tmp_path):
    trace = tmp_path / "trace"
    line = f"\nleft: !apply:os.mkdir [{trace}]\npretrainer:"
    rewrite_yaml(package, "\npretrainer:", line)
    with pytest.raises(PackageError, match="os.mkdir would run code"):
        verify_package(package)
    assert not trace.exists()
    verify_package(package, allow_code=True)
    assert trace.exists()


def test_package_of_before_there_were_manifests_still_loads(
    older_package, exported, voices
):
    encoders = [stock(older_package), stock(exported)]
    one, other = (encoder.encode_batch(voices(2)) for encoder in encoders)
    assert torch.equal(one, other) and is_package(older_package)


@pytest.mark.parametrize("file", WEIGHTS)
def test_package_without_a_file_is_refused_by_name(older_package, file):
    (older_package / file).unlink()
    with pytest.raises(PackageError, match=f"holds no {file}"):
        stock(older_package)


def test_package_without_an_expert_is_refused(older_package):
    path = older_package / "embedding_model.safetensors"
    state = load_file(path)
    kept = {k: v for k, v in state.items() if "experts.3." not in k}
    save_file(kept, path)
    with pytest.raises(PackageError, match="missing, such as .*experts.3"):
        stock(older_package)


def test_nan_in_a_package_is_refused(older_package):
    path = older_package / "classifier.safetensors"
    state = load_file(path)
    state["weight"][0, 0] = float("nan")
    save_file(state, path)
    with pytest.raises(PackageError, match="weight holds NaN"):
        stock(older_package)
