"""Teacher, unlabelled speech and the options of the mixture, in one run."""

import re

import pytest
import torch
import train
from safetensors.torch import load_file
from tiny_corpus import (
    arguments,
    teaching_of,
    voices_of,
    write_corpus,
    write_teaching,
)

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.training.data import read_table
from speechbrain_moe.training.settings import read_yaml

OPTIONS = {
    "n_experts": 4,
    "selection": "top_k",
    "top_k": 1,
    "execution": "sparse",
    "n_shared_blocks": 2,
    "always_on_weight": 0.3,
    "gate_noise": 0.1,
    "balance_bias_rate": 0.01,
    "temperature_start": 2.0,
    "batch_size": 7,
    "n_subcentres": 3,
    "n_hard_speakers": 2,
}
N_LABELLED, N_TAUGHT = 30, 5


@pytest.fixture(scope="module")
def taught(small_yaml, tmp_path_factory):
    """Output folder of a run with everything switched on."""
    folder = write_corpus(tmp_path_factory.mktemp("taught"))
    out = folder / "out"
    write_teaching(folder)
    teaching = teaching_of(folder) | voices_of(folder)
    teaching["centre_teacher"] = True
    train.main(arguments(small_yaml, folder, out, **OPTIONS, **teaching))
    return out


@pytest.fixture(scope="module")
def checkpoint(taught):
    """State of each part in the only checkpoint."""
    (folder,) = (taught / "save").glob("CKPT*")
    names = ("distillation", "load_window", "embedding_model", "classifier")
    return {name: torch.load(folder / f"{name}.ckpt") for name in names}


def test_the_teachers_loss_is_logged_by_epoch(taught):
    assert float(logged(taught, "distill_loss")) > 0


def logged(folder, name):
    """A figure of the one epoch's line."""
    (line,) = (folder / "train_log.txt").read_text().splitlines()
    return re.search(rf"{name}: ([^ ,]+)", line)[1]


def test_unlabelled_files_that_the_teacher_knows_join_the_training(taught):
    assert len(read_table(taught / "save/train.csv")) == N_LABELLED
    assert len(read_table(taught / "save/unlabelled.csv")) == N_TAUGHT
    settings = read_yaml(taught / "hyperparams.yaml")
    assert (settings["steps_per_epoch"], settings["teacher_dim"]) == (5, 24)


def test_head_and_balance_are_in_the_checkpoint(checkpoint):
    assert checkpoint["distillation"]["head.weight"].shape == (24, 32)
    n_seen = checkpoint["load_window"]["n_seen"].item()
    assert n_seen == N_LABELLED + N_TAUGHT


def test_package_holds_bias_and_temperature_and_no_head(taught, checkpoint):
    state = load_file(taught / "package/embedding_model.safetensors")
    assert state.keys() == checkpoint["embedding_model"].keys()
    assert not any("head" in key or "distill" in key for key in state)
    assert state["expert_bias"].abs().max() > 0
    assert state["gate_temperature"].item() == 2.0


def test_package_shares_blocks_and_has_the_always_on_expert(taught):
    bank = load_encoder(taught / "package").mods.embedding_model.experts
    assert len(bank.experts) == 5
    kept = [len(list(e.blocks[0].parameters())) > 0 for e in bank.experts]
    assert kept == [True, False, False, False, False]


def test_each_voice_at_each_speed_has_centres_in_the_training_alone(
    taught, checkpoint
):
    n_classes = 6 * 3 * 2  # speakers, speeds, voices
    settings = read_yaml(taught / "hyperparams.yaml")
    assert settings["n_speakers"] == n_classes
    assert checkpoint["classifier"]["weight"].shape[0] == 3 * n_classes
    state = load_file(taught / "package/classifier.safetensors")
    assert state["weight"].shape[0] == 3 * 6


def test_a_missing_voice_stops_before_the_training(
    taught, small_yaml, tmp_path
):
    changes = voices_of(tmp_path / "gone") | OPTIONS
    given = arguments(small_yaml, taught.parent, tmp_path / "out", **changes)
    wanted = "gone/heard/dev/v1/.*no such file.*change_voices.py"
    with pytest.raises(train.InputError, match=wanted):
        train.main(given)
    assert not list((tmp_path / "out").rglob("CKPT*"))


def test_route_stability_is_logged_as_a_share(taught):
    for name in ("noise", "crop"):
        assert 0 <= float(logged(taught, f"route_stays_in_{name}")) <= 1


def test_a_teacher_does_not_come_into_a_training_without(
    taught, small_yaml, tmp_path
):
    changes = OPTIONS | voices_of(taught.parent)
    given = arguments(small_yaml, taught.parent, taught, **changes)
    with pytest.raises(train.InputError, match="with teacher_embeddings"):
        train.main(given)


def test_a_resumed_training_is_not_started_from_elsewhere(
    taught, small_yaml, tmp_path
):
    before = load_file(taught / "package/embedding_model.safetensors")
    teaching = teaching_of(taught.parent) | voices_of(taught.parent)
    teaching["centre_teacher"] = True
    given = arguments(
        small_yaml,
        taught.parent,
        taught,
        init_from=tmp_path / "nowhere",
        package_folder=tmp_path / "package",
        **OPTIONS,
        **teaching,
    )
    train.main(given)
    after = load_file(tmp_path / "package/embedding_model.safetensors")
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.slow
def test_experts_start_from_a_dense_training(
    corpus, small_yaml, recipe_folder, tmp_path
):
    dense, out = tmp_path / "dense", tmp_path / "moe"
    yaml = recipe_folder / "hparams/ecapa_small.yaml"
    train.main(arguments(yaml, corpus, dense))
    changes = {"init_from": dense, "lr": 1e-12, "weight_decay": 0}
    changes["n_shared_blocks"] = 0  # so that every expert is whole
    train.main(arguments(small_yaml, corpus, out, **changes))
    parts = [load_encoder(f).mods.embedding_model for f in (dense, out)]
    (wanted,), experts = (part.experts.experts for part in parts)
    for expert in experts:
        for key, weight in wanted.named_parameters():
            assert torch.allclose(expert.get_parameter(key), weight, atol=1e-6)


def test_sgd_is_a_change_of_the_yaml_alone(
    corpus, small_yaml, recipe_folder, tmp_path
):
    text = small_yaml.read_text()
    old = "speechbrain_moe.training.optimizers.make_optimizer\n"
    old = f"opt_class: !name:{old}    name: !ref <optimizer_name>\n"
    assert old in text
    new = "opt_class: !name:torch.optim.SGD\n    momentum: 0.9\n"
    graph = (recipe_folder / "../../../hparams/moe_ecapa.yaml").resolve()
    text = text.replace("../../../../hparams/moe_ecapa.yaml", str(graph))
    yaml = tmp_path / "sgd.yaml"
    yaml.write_text(re.sub("\noptimizer_name: .*", "", text.replace(old, new)))
    out = tmp_path / "out"
    train.main(arguments(yaml, corpus, out, lr=0.1))
    (saved,) = (out / "save").glob("CKPT+*")
    state = torch.load(saved / "optimizer.ckpt")["state"]
    assert all("momentum_buffer" in one for one in state.values())


def test_muon_goes_on_from_its_checkpoint_and_adamw_does_not(
    corpus, small_yaml, tmp_path
):
    changes = {"optimizer_name": "muon", "precision": "bf16"}
    for n_epochs in (1, 2):
        changes["n_epochs"] = n_epochs
        train.main(arguments(small_yaml, corpus, tmp_path / "out", **changes))
    saved = sorted((tmp_path / "out/save").glob("CKPT+*"))[-1]
    state = torch.load(saved / "optimizer.ckpt")["state"].values()
    kernels = [one for one in state if "momentum" in one]
    assert kernels
    assert all(one["momentum"].isfinite().all() for one in kernels)
    assert len({one["step"].item() for one in state}) == 1
    changes["optimizer_name"] = "adamw"
    with pytest.raises(InputError, match="with optimizer_name 'muon'"):
        train.main(arguments(small_yaml, corpus, tmp_path / "out", **changes))
