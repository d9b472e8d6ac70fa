"""What is said before a training begins."""

from pathlib import Path

import pytest
from training_warnings import (
    warn_of_heard_crops,
    warn_of_other_epochs,
    warn_of_schedule,
)

SHIPPED = Path(__file__).parents[2] / "pretrained" / "moe-ecapa-small"


@pytest.mark.parametrize(
    "before, now, has_begun, told",
    [
        (3, 6, True, True),
        (3, 6, False, False),
        (6, 3, True, True),
        (3, 3, True, False),
    ],
)
def test_another_length_of_a_training_that_goes_on_is_told(
    tmp_path, caplog, before, now, has_begun, told
):
    (tmp_path / "hyperparams.yaml").write_text(f"n_epochs: {before}\n")
    if has_begun:
        (tmp_path / "save/CKPT+1").mkdir(parents=True)
    settings = {"output_folder": tmp_path, "save_folder": tmp_path / "save"}
    warn_of_other_epochs({**settings, "n_epochs": now})
    assert ("the learning rate goes on falling" in caplog.text) is told


@pytest.mark.parametrize("n_steps, told", [(200, True), (19, False)])
def test_a_warm_up_longer_than_the_training_is_told(caplog, n_steps, told):
    settings = {"n_epochs": 2, "margin_epochs": [0, 0], "steps_per_epoch": 10}
    warn_of_schedule({**settings, "n_warmup_steps": n_steps})
    assert ("never reaches lr" in caplog.text) is told
    warn_of_schedule(settings)  # of a yaml with another scheduler


@pytest.mark.parametrize(
    "source, stage, told",
    [
        ({}, {}, "--n_epochs_before 5"),
        ({"n_epochs_before": 7}, {"n_epochs_before": 7}, "5 epochs are heard"),
        ({}, {"n_epochs_before": 5}, ""),
        ({"seed": 2}, {}, ""),
        ({"live_teacher": None}, {}, ""),
        ({}, {"live_teacher": None}, ""),
    ],
    ids=["none", "too_few", "enough", "seed", "files", "by_files"],
)
def test_crops_of_the_source_that_are_heard_again_are_told(
    tmp_path, caplog, source, stage, told
):
    lines = {"n_epochs": 5, "seed": 1, "live_teacher": "a.pt", **source}
    yaml = "".join(f"{k}: {v or 'null'}\n" for k, v in lines.items())
    (tmp_path / "hyperparams.yaml").write_text(yaml)
    stage = {"n_epochs_before": 0, "live_teacher": "b.pt", "seed": 1, **stage}
    warn_of_heard_crops({"finetune_from": tmp_path, **stage})
    assert told in caplog.text
    assert bool(told) == bool(caplog.text)


@pytest.mark.parametrize("source", [None, SHIPPED, "user/on_the_hub"])
def test_what_starts_from_no_training_hears_nothing_again(caplog, source):
    settings = {"live_teacher": "a.pt", "seed": 1, "n_epochs_before": 0}
    warn_of_heard_crops({"finetune_from": source, **settings})
    assert not caplog.text
