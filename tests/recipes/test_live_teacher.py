"""A teacher that hears each crop."""

import numpy as np
import pytest
import soundfile
import teach
import torch
from live_teacher import BatchFeatures, LiveTeacher, corpus_means
from stand_in_teacher import stand_in

from speechbrain_moe.errors import InputError
from speechbrain_moe.training.teacher import Teacher


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
    corpora = torch.tensor([1, 0])
    plain = teacher()(wavs, corpora)
    wanted = plain - means[[1, 0]]
    found = teacher(means)(wavs, corpora)
    assert torch.allclose(found.norm(dim=1), torch.ones(2), atol=1e-5)
    cosines = torch.cosine_similarity(found, wanted, dim=1)
    assert torch.allclose(cosines, torch.ones(2), atol=1e-5)


def test_the_teacher_is_not_trained(teacher, voices):
    one = teacher()
    assert not any(w.requires_grad for w in one.network.parameters())
    assert not one.network.training
    wavs = voices(1).requires_grad_()
    assert not one(wavs, torch.tensor([0])).requires_grad


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


PATHS = ["dev/ann/1.wav", "dev/bob/1.wav", "more/1.wav", "more/unheard.wav"]
HEARD = Teacher(
    {("ann", "1.wav"): 0, ("bob", "1.wav"): 2, ("more", "1.wav"): 1},
    np.eye(3, dtype=np.float32),
)


@pytest.mark.parametrize(
    "corpora, centre, wanted",
    [
        ([1, 1, 0, 0], True, [[0, 1, 0], [0.5, 0, 0.5]]),
        ([1, 2, 0, 0], True, [[0, 1, 0], [1, 0, 0], [0, 0, 1]]),
        ([1, 1, 0, 0], False, [[0, 0, 0], [0, 0, 0]]),
        ([1], True, [[0, 0, 0], [1, 0, 0]]),
    ],
)
def test_means_are_those_of_each_corpus(corpora, centre, wanted):
    found = corpus_means(HEARD, PATHS[: len(corpora)], corpora, centre)
    assert torch.equal(found, torch.tensor(wanted, dtype=torch.float32))


def test_a_corpus_without_a_known_recording_is_not_left_uncentred():
    with pytest.raises(InputError, match="no row for more/unheard.wav"):
        corpus_means(HEARD, PATHS[3:], [0], True)
    assert not corpus_means(HEARD, PATHS[3:], [0], False).any()
