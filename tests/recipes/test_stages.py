"""A training, its average, its large-margin stage, other speakers."""

import json
import re
import shutil
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import train
from scoring_data import training_settings
from stages_table import main, stage_rows
from tiny_corpus import TINY, arguments, write_corpus

from speechbrain_moe.checkpoints import WholeCheckpointer
from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.experiment import (
    find_checkpoint,
    read_experiment,
    read_weights,
)

pytestmark = pytest.mark.slow
# What a stage is given again: the model's own keys are the source's
DATA = {
    key: TINY.get(key)
    for key in ("device", "batch_size", "n_dev_speakers", "n_dev_trials")
}
DATA |= {"n_noises": 6, "n_rooms": 2, "crop_s": 1.2, "n_epochs": 2}


def stage(yaml, corpus, source, **changes):
    """Command line of a stage that starts from a training or a package."""
    settings = {**DATA, "data_folder": corpus, "finetune_from": source}
    flags = [f"--{k}={v}" for k, v in {**settings, **changes}.items()]
    return [str(yaml), "--noprogressbar", *flags]


def states(folder):
    """Encoder weights of all checkpoints below a folder, with their meta."""
    found = WholeCheckpointer(folder).list_checkpoints()
    found.sort(key=lambda one: one.meta["epoch"])
    read = [torch.load(one.paramfiles["embedding_model"]) for one in found]
    return read, [one.meta for one in found]


@pytest.fixture(scope="module")
def first(corpus, small_yaml, tmp_path_factory):
    """A training of three epochs, two of them averaged."""
    out = tmp_path_factory.mktemp("first") / "out"
    train.main(arguments(small_yaml, corpus, out, n_epochs=3, n_averaged=2))
    return out


def test_average_is_the_mean_of_the_last_checkpoints(first):
    last, _ = states(first / "save")
    (mean,), (meta,) = states(first / "save/average")
    assert meta["n_averaged"] == 2 and meta["epoch"] == 3
    for key, value in mean.items():
        if not value.is_floating_point():
            continue  # counters
        wanted = (last[-1][key].double() + last[-2][key].double()) / 2
        assert torch.allclose(value.double(), wanted, atol=1e-6), key


def test_the_average_is_taken_and_without_one_the_lowest_dev_eer(
    first, tmp_path
):
    copy = shutil.copytree(first, tmp_path / "out")
    assert read_experiment(copy).checkpoint == "CKPT+average"
    shutil.rmtree(copy / "save/average")
    found = find_checkpoint(copy / "save")
    metas = states(copy / "save")[1]
    assert found.meta["dev_eer"] == min(meta["dev_eer"] for meta in metas)


def test_a_finished_training_run_again_averages_the_same(
    first, corpus, small_yaml, tmp_path
):
    copy = shutil.copytree(first, tmp_path / "out")
    before = states(copy / "save/average")[0][0]
    given = arguments(small_yaml, corpus, copy, n_epochs=3, n_averaged=2)
    train.main(given)
    after = states(copy / "save/average")[0][0]
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.fixture(scope="module")
def second(first, corpus, recipe_folder):
    yaml = recipe_folder / "hparams/large_margin_small.yaml"
    train.main(stage(yaml, corpus, first))
    return first / "large_margin"


def test_large_margin_stage_has_its_margin_and_the_first_ones_model(second):
    log = (second / "train_log.txt").read_text()
    assert log.count("margin: 5.00e-01") == 2
    experiment = read_experiment(second)
    assert experiment.hparams["emb_dim"] == TINY["emb_dim"]
    assert (second / "veri_test/metrics.json").is_file()


def test_large_margin_stage_starts_from_the_best_of_the_first(
    first, corpus, recipe_folder, tmp_path
):
    """With no step taken, its weights are those."""
    yaml = recipe_folder / "hparams/large_margin_small.yaml"
    changes = {"lr": 1e-12, "n_epochs": 1, "output_folder": tmp_path / "out"}
    train.main(stage(yaml, corpus, first, **changes))
    wanted = read_experiment(first).hparams["modules"]
    found = read_experiment(tmp_path / "out").hparams["modules"]
    for name in ("embedding_model", "classifier"):
        pairs = zip(wanted[name].parameters(), found[name].parameters())
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in pairs)


@pytest.mark.parametrize("key", ["finetune_from", "init_from"])
@pytest.mark.parametrize(
    "known, told", [(("ann", "bob"), False), (("ann", "eve"), True)]
)
def test_a_source_that_heard_the_held_out_speakers_is_told(
    tmp_path, caplog, monkeypatch, key, known, told
):
    (tmp_path / "dev.csv").write_text("ID,spk_id,duration_s\na,eve,1\n")
    labels = SimpleNamespace(lab2ind=dict.fromkeys(known))
    source = SimpleNamespace(hparams=SimpleNamespace(label_encoder=labels))
    checkpointer = WholeCheckpointer(tmp_path / "save")
    settings = {
        "save_folder": str(tmp_path),
        "trial_list": None,
        "finetune_from": None,
        "init_from": None,
        "init_noise": 0,
        "seed": 0,
        key: "package",
        "speakers": [],
    }
    monkeypatch.setattr(train, "init_experts", lambda *_, **__: None)
    monkeypatch.setattr(train, "open_encoder", {"package": source}.get)
    source = source if key == "finetune_from" else None
    monkeypatch.setattr(train, "start_from", lambda *_: 0)
    hparams = {"checkpointer": checkpointer, "modules": {}}
    with suppress(KeyError):  # there is nothing to fill
        train.start_weights(hparams, settings, source)
    assert ("1 of the speakers that are held out" in caplog.text) is told


def test_the_sources_model_comes_before_a_stages_own(first, corpus):
    """The demo is a stage, and has four experts; this source has two."""
    yaml = Path(train.__file__).with_name("hparams") / "demo.yaml"
    given = f"data_folder: {corpus}\nfinetune_from: {first}\n"
    _, settings, *_ = train.read_all(str(yaml), given)
    assert settings["n_experts"] == 2 and settings["selection"] == "soft"
    assert settings["n_epochs"] == 16  # which is no key of a model
    given += "selection: uniform\n"  # as a control
    _, settings, *_ = train.read_all(str(yaml), given)
    assert settings["selection"] == "uniform"


def test_a_stage_keeps_the_gate_as_hot_as_it_ended(first, corpus, tmp_path):
    folder = shutil.copytree(first, tmp_path / "training")
    weights = next((folder / "save/average").glob("CKPT*/embedding_model.ckpt"))
    state = torch.load(weights)
    state["gate_temperature"].fill_(0.3)
    torch.save(state, weights)
    yaml = Path(train.__file__).with_name("hparams") / "moe_ecapa_small.yaml"
    given = f"data_folder: {corpus}\nfinetune_from: {folder}\n"
    _, settings, *_ = train.read_all(str(yaml), given)
    keys = ("temperature_start", "temperature_end")
    assert [settings[key] for key in keys] == [0.3, 0.3]
    _, settings, *_ = train.read_all(str(yaml), given + "temperature_end: 0.1")
    assert [settings[key] for key in keys] == [0.3, 0.1]
    _, settings, *_ = train.read_all(str(yaml), given + "selection: uniform")
    assert [settings[key] for key in keys] == [1.0, 1.0]  # there is no gate


def test_a_stage_keeps_the_centres_of_changed_speeds(
    first, corpus, small_yaml, tmp_path
):
    changes = {"lr": 1e-12, "n_epochs": 1, "output_folder": tmp_path / "out"}
    train.main(stage(small_yaml, corpus, first, **changes))
    wanted, found = (
        read_weights(find_checkpoint(folder / "save"), "classifier")["weight"]
        for folder in (first, tmp_path / "out")
    )
    assert len(wanted) == 3 * 6  # three speeds of six speakers
    assert torch.allclose(wanted, found, atol=1e-6)


def test_validation_comes_at_its_interval_and_at_the_end(
    corpus, small_yaml, tmp_path
):
    changes = {"n_epochs": 3, "dev_interval": 2}
    train.main(arguments(small_yaml, corpus, tmp_path / "out", **changes))
    log = (tmp_path / "out/train_log.txt").read_text()
    assert re.findall(r"^epoch: (\d)", log, re.M) == ["2", "3"]


def test_a_package_is_tuned_to_other_speakers(first, small_yaml, tmp_path):
    others = write_corpus(tmp_path / "others", n_train=6, seed=9)
    for folder in sorted((others / "dev").iterdir()):
        folder.rename(folder.with_name(f"new_{folder.name}"))
    given = stage(
        small_yaml,
        others,
        first / "package",
        output_folder=tmp_path / "out",
    )
    train.main(given)
    experiment = read_experiment(tmp_path / "out")
    assert experiment.hparams["classifier"].weight.shape[0] == 4
    assert experiment.hparams["emb_dim"] == TINY["emb_dim"]


def test_stage_without_its_source_says_which_key_to_give(corpus, recipe_folder):
    yaml = recipe_folder / "hparams/large_margin.yaml"
    with pytest.raises(InputError, match="finetune_from"):
        train.main([str(yaml), f"--data_folder={corpus}"])


def test_a_typing_error_in_the_source_is_named(corpus, recipe_folder, tmp_path):
    yaml = recipe_folder / "hparams/large_margin_small.yaml"
    with pytest.raises(InputError, match="finetune_from: .*nowhere"):
        train.main(stage(yaml, corpus, tmp_path / "nowhere"))


def test_table_has_a_row_for_the_best_and_for_the_average(first, second):
    for folder, name in ((first, "1 s crops"), (second, "1.2 s crops")):
        rows = stage_rows(folder)
        assert len(rows) == 2 and all(name in row[0] for row in rows)
        assert sum("average" in row[0] for row in rows) == 1
        assert sum(row[0].startswith("**") for row in rows) == 1
        chosen = next(row for row in rows if row[0].startswith("**"))
        metrics = json.loads((folder / "veri_test/metrics.json").read_text())
        assert chosen[2].startswith(f"{metrics['eer']:.2f} [")


def test_table_scores_a_list_again_that_was_corrected(first, tmp_path):
    folder = shutil.copytree(first, tmp_path / "training")
    settings = training_settings(folder)
    lines = Path(settings["trial_list"]).read_text().splitlines(True)
    corrected = tmp_path / Path(settings["trial_list"]).name
    corrected.write_text("".join(lines))
    yaml = (folder / "hyperparams.yaml").read_text()
    yaml = yaml.replace(str(settings["trial_list"]), str(corrected))
    (folder / "hyperparams.yaml").write_text(yaml)
    before = stage_rows(folder)
    assert before == stage_rows(folder)
    corrected.write_text("".join([*lines[:30], *lines[-30:]]))
    assert stage_rows(folder) != before


def test_table_asks_for_the_scoring_steps_that_it_lacks(second, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([str(second)])
    assert stopped.value.code == 2
    assert "run python verify.py" in capsys.readouterr().err


def test_what_is_no_size_of_a_model_is_the_stages_own():
    stage = {"execution": "sparse", "n_experts": 4, "top_k": 1}
    found = {"execution": "dense", "n_experts": 2, "selection": "soft"}
    assert train.over_stage(stage, found) == {**found, "execution": "sparse"}
