import shutil

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from speechbrain.inference.classifiers import EncoderClassifier

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.experiment import (
    find_checkpoint,
    read_experiment,
)
from speechbrain_moe.inference.export import export_package


@pytest.fixture
def training(experiment, tmp_path):
    """A training folder that a test may damage."""
    return shutil.copytree(experiment, tmp_path / "training")


@pytest.fixture
def subcentre_training(training):
    """A training folder: 3 speakers at 2 speeds, 3 centres of each."""
    change_graph(training, "n_subcentres: 1", "n_subcentres: 3")
    weight = torch.randn(18, 32)
    path = training / "save" / "CKPT+best" / "classifier.ckpt"
    write_weights(path, {"weight": weight})
    return training, weight


def write_weights(path, state):
    """Put weights into a checkpoint that stays whole."""
    torch.save(state, path)
    path.with_name("sizes.json").write_text("{}")


def change_graph(folder, old, new):
    path = folder / "hyperparams.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_recorded_speakers_keep_all_their_centres(
    subcentre_training, tmp_path, voices
):
    folder, weight = subcentre_training
    package = export_package(folder, tmp_path / "package")
    weights = load_file(package / "classifier.safetensors")
    assert torch.equal(weights["weight"], weight[:9])
    encoder = EncoderClassifier.from_hparams(source=str(package))
    wavs = voices(3)
    found, _, index, names = encoder.classify_batch(wavs)
    centres = F.normalize(weight[:9], dim=1).view(3, 3, 32)
    embedding = encoder.encode_batch(wavs).squeeze(1)
    wanted = torch.einsum("bd,nkd->bnk", embedding, centres).amax(2)
    assert torch.allclose(found, wanted, atol=1e-6)
    assert names == [["ann", "bob", "cid"][i] for i in index]


def test_centres_that_do_not_fit_the_graph_are_refused(subcentre_training):
    folder, _ = subcentre_training
    path = folder / "save" / "CKPT+best" / "classifier.ckpt"
    write_weights(path, {"weight": torch.randn(6, 32)})  # as of one centre
    with pytest.raises(PackageError, match="classifier does not fit"):
        read_experiment(folder)


def test_training_of_before_there_were_subcentres_is_read(training):
    new = read_experiment(training).hparams["classifier"].weight
    change_graph(
        training,
        "speechbrain_moe.lobes.classifier.SubcentreClassifier",
        "speechbrain.lobes.models.ECAPA_TDNN.Classifier",
    )
    path = training / "hyperparams.yaml"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if "n_subcentres" not in line]
    path.write_text("".join(kept), encoding="utf-8")
    assert len(kept) < len(lines)
    old = read_experiment(training).hparams["classifier"].weight
    assert torch.equal(old, new)


def add_average(folder, epoch=2, dev_eer=15.0):
    """Put an average beside the checkpoints of two epochs (20 and 10 %)."""
    average = folder / "save/average/CKPT+average"
    shutil.copytree(folder / "save/CKPT+worse", average)
    (average / "sizes.json").write_text("{}")
    meta = f"n_averaged: 2\nepoch: {epoch}\ndev_eer: {dev_eer}\n"
    (average / "CKPT.yaml").write_text(f"end-of-epoch: true\n{meta}")


@pytest.mark.parametrize("dev_eer", [15.0, 5.0])
@pytest.mark.parametrize(
    "epoch, taken", [(2, "CKPT+average"), (1, "CKPT+best")]
)
def test_an_average_left_behind_by_later_epochs_is_not_taken(
    training, epoch, taken, dev_eer
):
    add_average(training, epoch, dev_eer)
    assert find_checkpoint(training / "save").path.name == taken


@pytest.mark.parametrize("dev_eer", [15.0, 5.0])
@pytest.mark.parametrize(
    "n_averaged, taken", [(2, "CKPT+average"), (1, "CKPT+best")]
)
def test_an_average_is_not_taken_where_the_training_no_longer_wants_one(
    training, n_averaged, taken, dev_eer
):
    add_average(training, dev_eer=dev_eer)
    change_graph(training, "seed: 1\n", f"seed: 1\nn_averaged: {n_averaged}\n")
    assert find_checkpoint(training / "save").path.name == taken
    assert read_experiment(training).checkpoint == taken
    assert read_experiment(training, "CKPT+average").meta["n_averaged"] == 2


def test_an_average_that_stands_alone_is_taken_whatever_the_settings_say(
    training,
):
    """As in a folder of average.py, with the settings of the first."""
    add_average(training)
    change_graph(training, "seed: 1\n", "seed: 1\nn_averaged: 1\n")
    for name in ("best", "worse"):
        shutil.rmtree(training / f"save/CKPT+{name}")
    assert read_experiment(training).checkpoint == "CKPT+average"


def test_nan_in_a_checkpoint_is_refused(training):
    path = training / "save" / "CKPT+best" / "embedding_model.ckpt"
    state = torch.load(path)
    state["gate.output.bias"].fill_(float("nan"))
    write_weights(path, state)
    wanted = "embedding_model: gate.output.bias holds NaN"
    with pytest.raises(PackageError, match=wanted):
        read_experiment(training)


def test_training_without_a_checkpoint_is_refused(training):
    shutil.rmtree(training / "save" / "CKPT+best")
    shutil.rmtree(training / "save" / "CKPT+worse")
    with pytest.raises(PackageError, match="no checkpoint with a dev_eer"):
        read_experiment(training)


def test_training_without_labels_is_refused_by_name(training):
    (training / "save" / "label_encoder.txt").unlink()
    with pytest.raises(PackageError, match="label_encoder.txt"):
        read_experiment(training)


@pytest.mark.parametrize("name", ["embedding_model", "classifier"])
@pytest.mark.parametrize("gone", [False, True])
def test_damaged_checkpoint_is_skipped_for_the_next_best(
    training, caplog, name, gone
):
    path = training / "save" / "CKPT+best" / f"{name}.ckpt"
    if gone:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:1000])
    assert read_experiment(training).checkpoint == "CKPT+worse"
    assert "CKPT+best was cut off or changed" in caplog.text


@pytest.mark.parametrize("name", ["embedding_model", "classifier"])
def test_weights_that_cannot_be_read_are_refused_by_name(training, name):
    path = training / "save" / "CKPT+best" / f"{name}.ckpt"
    path.write_bytes(b"\0" * path.stat().st_size)  # a disk that lost them
    with pytest.raises(PackageError, match=f"{name}.ckpt"):
        read_experiment(training)


def test_folder_that_is_no_training_is_refused(tmp_path):
    with pytest.raises(PackageError, match="hyperparams.yaml: no such file"):
        read_experiment(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_yaml_of_another_recipe_is_refused(tmp_path):
    (tmp_path / "hyperparams.yaml").write_text("seed: 1\n")
    with pytest.raises(PackageError, match="has no model section"):
        read_experiment(tmp_path)


def test_another_checkpoint_is_read_by_its_name(training):
    assert read_experiment(training).checkpoint == "CKPT+best"
    assert read_experiment(training, "CKPT+worse").checkpoint == "CKPT+worse"
    with pytest.raises(PackageError, match="no checkpoint CKPT.x; .*worse"):
        read_experiment(training, "CKPT+x")
