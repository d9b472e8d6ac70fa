"""A teacher that hears each crop, and trainings by it."""

import re

import numpy as np
import pytest
import soundfile
import teach
import torch
import train
from live_teacher import BatchFeatures, LiveTeacher, corpus_means
from safetensors.torch import load_file
from speaker_brain import SpeakerBrain
from stand_in_teacher import stand_in
from tiny_corpus import TINY, arguments, write_corpus, write_teaching

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.experiment import (
    find_checkpoint,
    read_experiment,
    read_weights,
)
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.training.settings import read_yaml
from speechbrain_moe.training.teacher import Teacher

LIVE = {**TINY, "batch_size": 8, "n_voices": 2, "emb_dim": 24}


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Weights of the stand-in, whose class is where CAM++'s is."""
    return stand_in(monkeypatch, tmp_path)


@pytest.fixture
def teacher(weights):
    """Makes a live teacher; nothing is taken off by default."""

    def make(means=None):
        means = torch.zeros(2, 192) if means is None else means
        return LiveTeacher(weights, means, "cpu")

    return make


@pytest.mark.parametrize("n_samples", [400, 559, 560, 16000])
def test_features_are_those_of_a_file(tmp_path, voices, n_samples):
    wavs, found = voices(3, n_samples), []
    for wav in wavs:
        soundfile.write(tmp_path / "a.wav", wav.numpy(), 16000, "FLOAT")
        found.append(teach.teacher_features(tmp_path / "a.wav"))
    wanted = torch.stack(found)
    assert torch.allclose(BatchFeatures("cpu")(wavs), wanted, atol=1e-3)


def test_silence_has_finite_features():
    assert BatchFeatures("cpu")(torch.zeros(1, 4000)).isfinite().all()


def test_embeddings_are_those_of_the_file_and_of_length_one(
    teacher, weights, tmp_path, voices
):
    wavs = voices(2)
    found = teacher()(wavs, torch.tensor([True, False]))
    assert found.shape == (2, 192) and found.dtype == torch.float32
    assert torch.allclose(found.norm(dim=1), torch.ones(2), atol=1e-5)
    for wav, one in zip(wavs, found):
        soundfile.write(tmp_path / "a.wav", wav.numpy(), 16000, "FLOAT")
        (file,) = teach.embed(teach.load_teacher(weights), [tmp_path / "a.wav"])
        file = torch.tensor(file).float()
        assert torch.cosine_similarity(one, file, dim=0) > 0.999


def test_each_part_has_its_own_mean_taken_off(teacher, voices):
    wavs, means = voices(2), 0.3 * torch.randn(2, 192)
    has_speaker = torch.tensor([True, False])
    plain = teacher()(wavs, has_speaker)
    wanted = plain - means[[1, 0]]
    found = teacher(means)(wavs, has_speaker)
    assert torch.allclose(found.norm(dim=1), torch.ones(2), atol=1e-5)
    cosines = torch.cosine_similarity(found, wanted, dim=1)
    assert torch.allclose(cosines, torch.ones(2), atol=1e-5)


def test_the_teacher_is_not_trained(teacher, voices):
    one = teacher()
    assert not any(w.requires_grad for w in one.network.parameters())
    assert not one.network.training
    wavs = voices(1).requires_grad_()
    assert not one(wavs, torch.tensor([True])).requires_grad


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_recorded_launch_says_what_the_layers_say(weights, voices):
    teacher = LiveTeacher(weights, torch.zeros(2, 192), "cuda")
    for seed in (0, 1):
        wavs = voices(2, seed=seed).cuda()
        wanted = teacher._embed(wavs)
        assert torch.allclose(teacher._replay(wavs), wanted, atol=1e-2)


def test_other_weights_are_refused_by_name(weights):
    torch.save({"other": torch.zeros(1)}, weights)
    with pytest.raises(InputError, match=f"{weights} holds no weights of CAM"):
        LiveTeacher(weights, torch.zeros(2, 192), "cpu")


def test_embeddings_of_another_teacher_are_refused(teacher):
    with pytest.raises(InputError, match="holds 24 numbers a file .* 192"):
        teacher(torch.zeros(2, 24))


ROWS = [
    {"path": "dev/ann/1.wav", "spk_id": "ann"},
    {"path": "dev/bob/1.wav", "spk_id": "bob"},
    {"path": "more/1.wav", "spk_id": ""},
    {"path": "more/unheard.wav", "spk_id": ""},
]
HEARD = Teacher(
    {("ann", "1.wav"): 0, ("bob", "1.wav"): 2, ("more", "1.wav"): 1},
    np.eye(3, dtype=np.float32),
)


@pytest.mark.parametrize(
    "rows, centre, wanted",
    [
        (ROWS, True, [[0, 1, 0], [0.5, 0, 0.5]]),
        (ROWS, False, [[0, 0, 0], [0, 0, 0]]),
        (ROWS[:1], True, [[0, 0, 0], [1, 0, 0]]),
        (ROWS[2:], True, [[0, 1, 0], [0, 0, 0]]),
        (ROWS[3:], False, [[0, 0, 0], [0, 0, 0]]),
    ],
)
def test_means_are_those_of_recordings_without_a_speaker_and_with_one(
    rows, centre, wanted
):
    found = corpus_means(HEARD, rows, centre)
    assert torch.equal(found, torch.tensor(wanted, dtype=torch.float32))


def test_a_part_without_a_known_recording_is_not_left_uncentred():
    with pytest.raises(InputError, match="no row for more/unheard.wav"):
        corpus_means(HEARD, ROWS[3:], True)


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
