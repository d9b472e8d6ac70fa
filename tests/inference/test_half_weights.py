"""Packages of weights in 16 bits."""

import shutil

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from speechbrain.inference.classifiers import EncoderClassifier
from speechbrain.inference.speaker import SpeakerRecognition

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.experiment import (
    find_checkpoint,
    read_experiment,
    read_weights,
)
from speechbrain_moe.inference.export import export_package, load_encoder
from speechbrain_moe.inference.half_weights import rounded, smallest

FILE = "embedding_model.safetensors"


def training_of(experiment, folder, text):
    """A copy of a training, with lines of its own in hyperparams.yaml."""
    shutil.copytree(experiment, folder)
    yaml = folder / "hyperparams.yaml"
    yaml.write_text(yaml.read_text() + text)
    return folder


@pytest.fixture(scope="module")
def half(experiment, tmp_path_factory):
    """A training that wants 16 bits, and its package."""
    folder = tmp_path_factory.mktemp("half")
    training = training_of(experiment, folder / "1", "half_weights: True\n")
    return training, export_package(training, folder / "package")


@pytest.fixture(scope="module", params=["", "half_weights: False\n"])
def whole(request, experiment, tmp_path_factory):
    """A training that does not, and its package."""
    folder = tmp_path_factory.mktemp("whole")
    training = training_of(experiment, folder / "1", request.param)
    return training, export_package(training, folder / "package")


def saved(folder, name="embedding_model"):
    """Weights of the checkpoint that is taken."""
    return read_weights(find_checkpoint(folder / "save"), name)


@pytest.mark.parametrize("name", ["embedding_model", "classifier"])
def test_weights_of_layers_are_stored_in_16_bits(half, name):
    state = load_file(half[1] / f"{name}.safetensors")
    layers = [key for key in state if state[key].dim() > 1]
    assert layers and all(state[key].dtype == torch.float16 for key in layers)
    others = {state[key].dtype for key in state.keys() - {*layers}}
    assert torch.float16 not in others


def test_a_package_is_nearly_half_as_large(half, whole):
    small, large = (package[1] / FILE for package in (half, whole))
    n_bytes = sum(
        2 * w.numel() for w in load_file(small).values() if w.dim() > 1
    )
    assert large.stat().st_size - small.stat().st_size >= n_bytes
    assert small.stat().st_size < 0.7 * large.stat().st_size  # tiny: has biases


@pytest.mark.parametrize("kind", [EncoderClassifier, SpeakerRecognition])
def test_stock_classes_make_float32_of_it(half, voices, kind):
    encoder = kind.from_hparams(source=str(half[1]))
    for module in (encoder.mods.embedding_model, encoder.mods.classifier):
        assert {w.dtype for w in module.parameters()} == {torch.float32}
    assert encoder.encode_batch(voices(2)).dtype == torch.float32


def test_the_package_gives_what_the_training_is_verified_with(half, voices):
    training, package = half
    found = [load_encoder(one).encode_batch(voices(4)) for one in half]
    assert torch.equal(*found)
    state = read_experiment(training).hparams["embedding_model"].state_dict()
    stored = load_file(package / FILE)
    assert state.keys() == stored.keys()
    assert all(torch.equal(state[k], stored[k].to(state[k])) for k in state)


def test_nobody_hears_the_difference(half, whole, voices):
    one, other = (
        load_encoder(f[1]).encode_batch(voices(6)) for f in (half, whole)
    )
    assert not torch.equal(one, other)
    assert (1 - F.cosine_similarity(one, other, dim=2)).max() < 1e-5


def test_without_it_weights_stay_as_they_were_trained(whole):
    training, package = whole
    wanted, found = saved(training), load_file(package / FILE)
    assert wanted.keys() == found.keys()
    for key, weight in wanted.items():
        assert found[key].dtype == weight.dtype
        assert torch.equal(found[key], weight)


def test_biases_and_statistics_are_not_rounded(half):
    wanted, found = saved(half[0]), load_file(half[1] / FILE)
    for key, weight in wanted.items():
        if weight.dim() < 2:
            assert torch.equal(found[key], weight)


def test_the_checkpoint_is_not_rounded(half, experiment):
    wanted, found = saved(experiment), saved(half[0])
    assert all(torch.equal(wanted[key], found[key]) for key in wanted)
    assert any(
        not torch.equal(found[key], weight)
        for key, weight in rounded(found).items()
    )


def test_a_package_exported_from_a_rounded_one_is_the_same():
    state = rounded({"w": torch.randn(5, 5), "b": torch.randn(5)})
    again = rounded(state)
    assert all(torch.equal(state[key], again[key]) for key in state)
    stored = smallest(state)
    assert stored["w"].dtype == torch.float16
    assert torch.equal(stored["w"].float(), state["w"])
    assert stored["b"] is state["b"]


@pytest.mark.parametrize("value", [1 / 3, 1e-9, 1e6, float("nan")])
def test_what_16_bits_would_change_is_stored_whole(value):
    state = {"w": torch.full((2, 2), value)}
    assert smallest(state)["w"] is state["w"]


def test_a_weight_beyond_16_bits_is_refused(experiment, tmp_path):
    folder = training_of(experiment, tmp_path / "1", "half_weights: True\n")
    checkpoint = find_checkpoint(folder / "save")
    state = read_weights(checkpoint, "embedding_model")
    state["experts.experts.0.fc.conv.weight"][0, 0] = 1e6
    torch.save(state, checkpoint.paramfiles["embedding_model"])
    (checkpoint.path / "sizes.json").write_text("{}")  # still whole
    with pytest.raises(PackageError, match="give half_weights False"):
        read_experiment(folder)
