import json

import pytest

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.same_training import check_same_training


@pytest.fixture(autouse=True)
def begun(tmp_path):
    """A checkpoint of the training that tmp_path holds."""
    (tmp_path / "save/CKPT+1").mkdir(parents=True)


def test_before_its_first_checkpoint_all_may_change(tmp_path):
    settings = {"output_folder": str(tmp_path), "model": {}}
    (tmp_path / "hyperparams.yaml").write_text("lr: 0.1\n")
    with pytest.raises(HyperparameterError, match="training with lr"):
        check_same_training({**settings, "lr": 0.2})
    (tmp_path / "save/CKPT+1").rmdir()
    check_same_training({**settings, "lr": 0.2})


def test_a_changed_model_is_refused_in_a_folder_that_holds_another(tmp_path):
    settings = {
        "output_folder": str(tmp_path),
        "seed": 1,
        "speeds": [1.0],
        "n_voices": 0,
        "voice_prob": 0.75,
        "centre_teacher": False,
        "n_dev_speakers": 2,
        "min_duration_s": 1.0,
        "n_speakers": 0,
        "top_k": 2,
        "model": {"top_k": 2, "n_speakers": 0},
    }
    check_same_training(settings)
    held = "seed: 1\nspeeds: [1.0]\nn_dev_speakers: 2\nmin_duration_s: 1.0\n"
    held += "n_speakers: 9\ntop_k: 2\n"
    (tmp_path / "hyperparams.yaml").write_text(held)
    check_same_training(settings)
    with pytest.raises(HyperparameterError, match="with top_k 2, now it is 1"):
        check_same_training({**settings, "top_k": 1})
    check_same_training({**settings, "top_k": 1, "selection": "soft"})
    with pytest.raises(HyperparameterError, match="n_voices 0, now it is 3"):
        check_same_training({**settings, "n_voices": 3})
    with pytest.raises(HyperparameterError, match="centre_teacher False, now"):
        check_same_training({**settings, "centre_teacher": True})
    (tmp_path / "hyperparams.yaml").write_text(held + "lr: 0.001\n")
    with pytest.raises(HyperparameterError, match="lr 0.001, now it is 0.01"):
        check_same_training({**settings, "lr": 0.01})
    with pytest.raises(HyperparameterError, match="name 'adamw', now"):
        check_same_training({**settings, "optimizer_name": "muon"})


@pytest.mark.parametrize(
    ("key", "before", "now"),
    [
        ("crop_s", 3.0, 2.0),
        ("margin", 0.35, 0.2),
        ("loss", "arcface", "aam_softmax"),
        ("distill_weight", 60, 1),
        ("noise_prob", 0.6, 0.3),
        ("snr_db", {"noise": [0, 15]}, {"noise": [5, 15]}),
        ("precision", "bf16", "fp32"),
        ("margin_epochs", [1, 7], [1, 9]),
    ],
)
def test_what_is_heard_and_learnt_stays(tmp_path, key, before, now):
    settings = {"output_folder": str(tmp_path), "model": {}}
    text = json.dumps({key: before})  # yaml, too
    (tmp_path / "hyperparams.yaml").write_text(text)
    check_same_training({**settings, key: before})
    with pytest.raises(HyperparameterError, match=f"training with {key}"):
        check_same_training({**settings, key: now})


def test_how_long_and_where_may_change(tmp_path):
    settings = {"output_folder": str(tmp_path), "model": {}}
    held = {"n_epochs": 3, "num_workers": 0, "data_folder": "/a"}
    (tmp_path / "hyperparams.yaml").write_text(json.dumps(held))
    now = {"n_epochs": 9, "num_workers": 2, "data_folder": "/b"}
    check_same_training({**settings, **now, "new_key": 1})


@pytest.mark.parametrize("key", ["teacher_embeddings", "unlabelled_folder"])
def test_a_source_may_move_but_not_come_or_go(tmp_path, key):
    settings = {"output_folder": str(tmp_path), "model": {}, "seed": 1}
    settings |= {"speeds": [1.0], "n_dev_speakers": 2, "min_duration_s": 1.0}
    settings["n_voices"] = 0
    held = "seed: 1\nspeeds: [1.0]\nn_dev_speakers: 2\nmin_duration_s: 1.0\n"
    (tmp_path / "hyperparams.yaml").write_text(f"{held}{key}: here\n")
    check_same_training({**settings, key: "there"})
    with pytest.raises(HyperparameterError, match=f"{key} 'here', now it is N"):
        check_same_training({**settings, key: None})
