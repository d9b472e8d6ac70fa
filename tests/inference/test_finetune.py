import shutil
from types import SimpleNamespace

import pytest
import torch
from hyperpyyaml import load_hyperpyyaml
from stock_folder import settled_state, write_stock_folder

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.export import export_package
from speechbrain_moe.inference.finetune import (
    model_values,
    open_source,
    start_from,
)
from speechbrain_moe.inference.manifest import sign_package
from speechbrain_moe.inference.training_graph import read_tree, to_text
from speechbrain_moe.lobes.classifier import SubcentreClassifier


@pytest.fixture(scope="module")
def package(experiment, tmp_path_factory):
    return export_package(experiment, tmp_path_factory.mktemp("p") / "package")


@pytest.fixture
def fresh(experiment):
    """Modules of another training of the same model."""

    def make(n_classes):
        graph = read_tree(experiment / "hyperparams.yaml")["model"]
        graph["classifier"]["out_neurons"] = n_classes
        torch.manual_seed(1)
        return load_hyperpyyaml(to_text(graph))["modules"]

    return make


@pytest.fixture(params=["training", "package"])
def source(request, experiment, package):
    return experiment if request.param == "training" else package


def test_encoder_and_centres_of_known_speakers_come_over(source, fresh):
    encoder = open_source(source)
    modules = fresh(3)
    before = modules["classifier"].weight.detach().clone()
    n_known = start_from(modules, encoder, source, ["bob", "eve", "ann"])
    assert n_known == 2
    for key, value in encoder.mods.embedding_model.state_dict().items():
        found = modules["embedding_model"].state_dict()[key]
        assert torch.equal(found, value)
    labels = encoder.hparams.label_encoder.lab2ind
    theirs, ours = encoder.mods.classifier.weight, modules["classifier"].weight
    assert torch.equal(ours[0], theirs[labels["bob"]])
    assert torch.equal(ours[2], theirs[labels["ann"]])
    assert torch.equal(ours[1], before[1])  # eve starts fresh


def test_copies_at_other_speeds_start_fresh(package, fresh):
    modules = fresh(6)  # three speakers at two speeds
    before = modules["classifier"].weight.detach().clone()
    start_from(modules, open_source(package), package, ["ann", "bob", "cid"])
    after = modules["classifier"].weight
    assert not torch.equal(after[:3], before[:3])
    assert torch.equal(after[3:], before[3:])


def test_speakers_all_new_change_no_centre(package, fresh):
    modules = fresh(2)
    before = modules["classifier"].weight.detach().clone()
    assert start_from(modules, open_source(package), package, ["x", "y"]) == 0
    assert torch.equal(modules["classifier"].weight, before)


def test_values_of_the_model_are_those_of_the_source(source):
    encoder = open_source(source)
    keys = ["n_experts", "selection", "emb_dim", "nothing", "classifier"]
    found = model_values(encoder, keys)
    assert set(found) == {"n_experts", "selection", "emb_dim"}
    assert found["n_experts"] == encoder.mods.embedding_model.n_experts


def test_experts_of_other_shapes_come_over_into_a_yaml_with_comments():
    shapes = [{}, {"channels": [8, 8, 8, 8, 24], "dropout": 1e-5}]
    source = SimpleNamespace(hparams=SimpleNamespace(expert_overrides=shapes))
    yaml = """\
expert_overrides: null              # or one dict of such keys per expert
model:
  experts: !ref <expert_overrides>  # again
"""
    given = model_values(source, ["expert_overrides"])
    found = load_hyperpyyaml(yaml, given)
    assert found["expert_overrides"] == shapes
    assert found["model"]["experts"] == shapes


def test_another_number_of_centres_is_refused(package, fresh):
    modules = fresh(3)
    modules["classifier"] = SubcentreClassifier(32, 3, n_subcentres=3)
    with pytest.raises(PackageError, match="1 centres .* n_subcentres is 3"):
        start_from(modules, open_source(package), package, ["ann", "bob"])


def test_another_model_is_refused(package, fresh, tiny_model):
    modules = fresh(3)
    modules["embedding_model"] = tiny_model(n_experts=7)
    with pytest.raises(PackageError, match=str(package)):
        start_from(modules, open_source(package), package, ["ann"])


def test_a_plain_ecapa_is_refused_for_init_from(tmp_path, tiny_expert, voices):
    state = settled_state(tiny_expert, voices(16, 16000, seed=9))
    write_stock_folder(tmp_path, state)
    with pytest.raises(PackageError, match="finetune_from: .* init_from"):
        open_source(tmp_path)


def test_package_that_would_run_code_is_refused(package, tmp_path):
    folder = shutil.copytree(package, tmp_path / "package")
    with open(folder / "hyperparams.yaml", "a", encoding="utf-8") as graph:
        graph.write(f"x: !apply:os.mkdir [{tmp_path / 'mark'}]\n")
    sign_package(folder)
    with pytest.raises(PackageError, match="!apply:os.mkdir would run code"):
        open_source(folder)
    assert not (tmp_path / "mark").exists()


def test_a_missing_folder_is_named_with_the_key(tmp_path):
    with pytest.raises(PackageError, match="finetune_from: .*nowhere"):
        open_source(tmp_path / "nowhere")
