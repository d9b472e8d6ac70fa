import shutil

import pytest
import torch

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.experiment import read_experiment


@pytest.fixture
def training(experiment, tmp_path):
    """A training folder that a test may damage."""
    return shutil.copytree(experiment, tmp_path / "training")


def test_nan_in_a_checkpoint_is_refused(training):
    path = training / "save" / "CKPT+best" / "embedding_model.ckpt"
    state = torch.load(path)
    state["gate.output.bias"].fill_(float("nan"))
    torch.save(state, path)
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
def test_truncated_checkpoint_is_refused_by_name(training, name):
    path = training / "save" / "CKPT+best" / f"{name}.ckpt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(PackageError, match=f"{name}.ckpt"):
        read_experiment(training)


@pytest.mark.parametrize("name", ["embedding_model", "classifier"])
def test_checkpoint_without_a_module_is_refused_by_name(training, name):
    (training / "save" / "CKPT+best" / f"{name}.ckpt").unlink()
    with pytest.raises(PackageError, match=name):
        read_experiment(training)


def test_folder_that_is_no_training_is_refused(tmp_path):
    with pytest.raises(PackageError, match="hyperparams.yaml: no such file"):
        read_experiment(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_yaml_of_another_recipe_is_refused(tmp_path):
    (tmp_path / "hyperparams.yaml").write_text("seed: 1\n")
    with pytest.raises(PackageError, match="has no model section"):
        read_experiment(tmp_path)
