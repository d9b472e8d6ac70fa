import pytest

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.same_training import check_same_training


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
