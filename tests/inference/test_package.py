import pytest
import torch
from safetensors.torch import save_file
from speechbrain.dataio.encoder import CategoricalEncoder
from speechbrain.utils.fetching import FetchFrom, FetchSource

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.package import (
    PackagePretrainer,
    check_finite,
    load_labels,
    load_strictly,
    load_weights,
    path_in,
)


@pytest.fixture
def module():
    return torch.nn.Linear(3, 2)


@pytest.fixture
def weights(tmp_path):
    """A file with weights for the module; changes go into it."""

    def write(**changes):
        state = {"weight": torch.ones(2, 3), "bias": torch.zeros(2), **changes}
        kept = {key: value for key, value in state.items() if len(value)}
        path = tmp_path / "model.ckpt"  # the name must not matter
        save_file(kept, path)
        return path

    return write


def test_whole_file_fills_the_module(module, weights):
    load_weights(module, weights())
    assert torch.equal(module(torch.ones(1, 3)), torch.full((1, 2), 3.0))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"bias": ()}, "1 missing, such as bias; 0 unknown; 0 misshapen"),
        ({"gate": torch.ones(1)}, "0 missing; 1 unknown, such as gate"),
        ({"bias": torch.ones(3)}, "1 misshapen, such as bias"),
    ],
)
def test_weights_that_do_not_fit_are_refused_and_change_nothing(
    module, weights, changes, message
):
    before = {k: v.clone() for k, v in module.state_dict().items()}
    with pytest.raises(PackageError, match=f"model.ckpt does not.*{message}"):
        load_weights(module, weights(**changes))
    after = module.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)


@pytest.mark.parametrize("n_bytes", [0, 4, 60, -1])
def test_truncated_file_is_refused_by_name(module, weights, n_bytes):
    path = weights()
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(PackageError, match="model.ckpt: not a whole safetens"):
        load_weights(module, path)


def test_missing_file_is_refused_by_name(module, tmp_path):
    with pytest.raises(PackageError, match="nowhere.safetensors"):
        load_weights(module, tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(module, weights, value):
    with pytest.raises(PackageError, match="model.ckpt: bias holds NaN or Inf"):
        load_weights(module, weights(bias=torch.full((2,), value)))


def test_integer_and_finite_weights_pass():
    state = {"n": torch.tensor(3), "weight": torch.ones(2)}
    assert check_finite(state, "model") is None


def test_a_bank_that_lacks_an_expert_is_refused(tiny_model):
    state = tiny_model(3).state_dict()
    with pytest.raises(PackageError, match="missing, such as .*experts.3"):
        target = tiny_model(4)
        kept = {k: v for k, v in state.items() if "gate.output" not in k}
        kept["gate.output.weight"] = target.gate.output.weight
        kept["gate.output.bias"] = target.gate.output.bias
        load_strictly(target, kept, "model")


def test_labels_come_back_in_order_without_a_warning(tmp_path):
    written, read = CategoricalEncoder(), CategoricalEncoder()
    written.update_from_iterable(["b", "a"], sequence_input=False)
    written.save(tmp_path / "labels.txt")
    load_labels(read, tmp_path / "labels.txt")
    assert read.decode_ndim([0, 1]) == ["b", "a"]


def test_missing_labels_are_refused_by_name(tmp_path):
    with pytest.raises(PackageError, match="labels.txt"):
        load_labels(CategoricalEncoder(), tmp_path / "labels.txt")


@pytest.mark.parametrize(
    "text",
    ["<!doctype html>\n", "[1] => 0\n", "-" * 10_000 + "1 => 0\n"],
)
def test_damaged_labels_are_refused_by_name(tmp_path, text):
    (tmp_path / "labels.txt").write_text(text)
    with pytest.raises(PackageError, match="labels.txt"):
        load_labels(CategoricalEncoder(), tmp_path / "labels.txt")


@pytest.mark.parametrize(
    "name, file",
    [
        ("embedding_model", "embedding_model.safetensors"),
        ("classifier", "classifier.safetensors"),
        ("label_encoder", "label_encoder.txt"),
    ],
)
def test_file_missing_from_a_folder_is_named(tmp_path, name, file):
    with pytest.raises(PackageError, match=f"holds no {file}.*fetch it again"):
        path_in(str(tmp_path), name)
    (tmp_path / file).touch()
    assert path_in(tmp_path, name) == f"{tmp_path}/{file}"


def test_hub_id_stays_one_for_fetching():
    source = FetchSource(FetchFrom.HUGGING_FACE, "user/model")
    found = path_in(source, "classifier")
    assert found.path == "user/model/classifier.safetensors"
    assert found.FetchFrom == FetchFrom.HUGGING_FACE
    assert path_in("user/model", "classifier") == found.path


def test_pretrainer_reads_each_loadable_from_its_file(module, weights):
    path = weights()
    path.rename(path.with_name("classifier.safetensors"))
    pretrainer = PackagePretrainer({"classifier": module})
    pretrainer.collect_files(str(path.parent))
    pretrainer.load_collected()
    assert module.weight.eq(1).all()


def test_a_folder_that_speechbrain_collected_into_is_a_source(tmp_path):
    with pytest.raises(PackageError, match="holds no classifier.safetensors"):
        path_in(tmp_path, "classifier")
    (tmp_path / "classifier.ckpt").touch()
    assert path_in(tmp_path, "classifier") == f"{tmp_path}/classifier.ckpt"
