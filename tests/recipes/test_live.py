"""Trainings by a teacher that hears each crop."""

import re

import pytest
import teach
import torch
import train
from safetensors.torch import load_file
from speaker_brain import SpeakerBrain
from stand_in_teacher import stand_in
from tiny_corpus import TINY, arguments, write_corpus, write_teaching

from speechbrain_moe.inference.experiment import (
    find_checkpoint,
    read_experiment,
    read_weights,
)
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.training.settings import read_yaml

LIVE = {**TINY, "batch_size": 8, "n_voices": 2, "emb_dim": 24}


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """A corpus, unlabelled speech, and what the stand-in says of both."""
    folder = write_corpus(tmp_path_factory.mktemp("live"))
    write_teaching(folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        path = stand_in(monkeypatch, folder)
        (folder / "meta/teacher.npz").unlink()
        given = [path, folder / "meta/teacher.npz"]
        given += [folder / "dev", folder / "unlabelled"]
        assert teach.main([*map(str, given)]) == 0
        yield folder


def live(yaml, folder, out, **changes):
    """Command line of a training by the stand-in."""
    settings = {
        **LIVE,
        "teacher_embeddings": folder / "meta/teacher.npz",
        "unlabelled_folder": folder / "unlabelled",
        "live_teacher": folder / "teacher.pt",
        **changes,
    }
    return arguments(yaml, folder, out, **settings)


@pytest.fixture(scope="module")
def trained(spoken, recipe_folder):
    """Output folder of a dense training."""
    out = spoken / "out"
    train.main(live(recipe_folder / "hparams/ecapa_live.yaml", spoken, out))
    return out


def test_one_command_trains_by_it_and_exports(trained, voices):
    assert logged(trained, "distill_loss") > 0
    encoder = load_encoder(trained / "package")
    assert encoder.encode_batch(voices(2)).shape == (2, 1, 24)


def logged(folder, name):
    """A figure of the one epoch's line."""
    (line,) = (folder / "train_log.txt").read_text().splitlines()
    return float(re.search(rf"{name}: ([^ ,]+)", line)[1])


def test_voices_are_speakers_in_the_training_alone(trained):
    settings = read_yaml(trained / "hyperparams.yaml")
    assert settings["n_speakers"] == 6 * 3  # speakers, voices with their own
    assert settings["steps_per_epoch"] == 36 // 8
    assert settings["teacher_dim"] == 192
    state = load_file(trained / "package/classifier.safetensors")
    assert state["weight"].shape[0] == 6


def lengths_and_angles(weight):
    """What a rotation of its rows leaves of a weight [D, ...]."""
    columns = weight.reshape(len(weight), -1)
    return columns.T @ columns


@pytest.fixture(scope="module")
def joined(trained, spoken, recipe_folder):
    """Output folder of a gate over two experts that stay as they were."""
    out = spoken / "joined"
    changes = {"freeze_experts": True, "expert_overrides": "null"}
    changes |= {"live_teacher": None, "n_voices": 0}
    changes["voices_folder"] = "null"
    changes["init_from"] = [str(trained), str(trained)]
    yaml = recipe_folder / "hparams/moe_ecapa_joined.yaml"
    train.main(live(yaml, spoken, out, **changes))
    return out


def encoder_weights(folder):
    return read_weights(find_checkpoint(folder / "save"), "embedding_model")


@pytest.mark.slow
def test_a_gate_learns_to_weigh_experts_that_stay_as_they_were_trained(
    trained, joined
):
    """But that the last layer of the second is turned."""
    found = encoder_weights(joined)
    source = read_experiment(trained).hparams["embedding_model"]
    for name, wanted in source.experts.experts[0].state_dict().items():
        first, second = (found[f"experts.experts.{n}.{name}"] for n in (0, 1))
        assert torch.equal(first, wanted), name
        if name.startswith("fc."):
            second, wanted = map(lengths_and_angles, (second, wanted))
        assert torch.allclose(second, wanted, atol=1e-4), name
    assert found["gate.output.bias"].any()  # began as 0
    stored = load_file(joined / "package/embedding_model.safetensors")
    assert stored["experts.experts.0.fc.conv.weight"].dtype == torch.float16


@pytest.mark.slow
def test_a_mixture_goes_on_by_it_with_all_its_experts(
    joined, spoken, recipe_folder, tmp_path, voices
):
    yaml = recipe_folder / "hparams/moe_ecapa_live.yaml"
    # Keys of the model are those of the mixture
    given = live(yaml, spoken, tmp_path, finetune_from=joined)
    keys = ("expert_", "gate_", "emb_dim")
    train.main([f for f in given if not f.lstrip("-").startswith(keys)])
    assert logged(tmp_path, "distill_loss") > 0
    before, after = map(encoder_weights, (joined, tmp_path))
    for number in (0, 1):
        name = f"experts.experts.{number}.blocks.0.conv.conv.weight"
        assert 0 < (after[name] - before[name]).abs().max() < 0.1
    encoder = load_encoder(tmp_path / "package")
    assert encoder.encode_batch(voices(2)).shape == (2, 1, 24)


class StoppedError(Exception):
    """What ends a training in a test."""


@pytest.mark.slow
def test_a_training_that_stopped_goes_on_as_if_it_had_not(
    spoken, recipe_folder, tmp_path, monkeypatch
):
    def run(name, stops_after=None):
        steps = {}

        class Writing(SpeakerBrain):
            def on_fit_batch_end(self, batch, outputs, loss, should_step):
                steps[self.epoch, self.step] = loss.item()
                if len(steps) == stops_after:
                    raise StoppedError

        monkeypatch.setattr(train, "SpeakerBrain", Writing)
        given = live(yaml, spoken, tmp_path / name, n_epochs=2, n_hearings=2)
        flags = ["--ckpt_interval_minutes=0", "--ckpt_interval_steps=2"]
        train.main(given + flags)
        return steps

    yaml = recipe_folder / "hparams/ecapa_live.yaml"
    whole = run("whole")
    assert len(whole) == 8
    with pytest.raises(StoppedError):
        run("stopped", stops_after=7)
    rest = run("stopped")
    assert [*rest] == [(2, 3), (2, 4)]
    assert rest == {key: whole[key] for key in rest}


@pytest.mark.slow
def test_a_stage_hears_the_crops_that_come_after_the_epochs_before(
    spoken, recipe_folder, tmp_path, monkeypatch
):
    def heard(name, **given):
        crops = {}

        class Writing(SpeakerBrain):
            def on_fit_batch_start(self, batch, should_step):
                super().on_fit_batch_start(batch, should_step)
                crops.setdefault(self.epoch, batch.sig.data)

        monkeypatch.setattr(train, "SpeakerBrain", Writing)
        train.main(live(yaml, spoken, tmp_path / name, **given))
        return crops

    yaml = recipe_folder / "hparams/ecapa_live.yaml"
    whole = heard("whole", n_epochs=2)
    after = heard("after", n_epochs=1, n_epochs_before=1)
    assert torch.equal(after[1], whole[2])
    assert not torch.equal(after[1], whole[1])
