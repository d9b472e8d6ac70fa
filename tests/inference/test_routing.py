"""Arrays of the routing report: rows fit the files and the model."""

from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from speechbrain.dataio.preprocess import AudioNormalizer

from speechbrain_moe.errors import AudioError, PackageError
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.inference.file_embeddings import describe_files
from speechbrain_moe.inference.routing import (
    collect_routing,
    estimate_snr_db,
    weights_of_all,
)
from speechbrain_moe.lobes.aggregate import aggregate
from speechbrain_moe.lobes.experts import ExpertBank
from speechbrain_moe.lobes.gate import GatingCNN
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA, PassThrough
from speechbrain_moe.lobes.selection import Selection

PATHS = ["a/s/1.wav", "a/s/2.wav", "b/s/1.wav"]


@pytest.fixture
def folder(voices, tmp_path):
    for i, path in enumerate(PATHS):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        wav = voices(1, n_samples=8000 + 1000 * i, seed=i)[0]
        soundfile.write(tmp_path / path, wav.numpy(), 16000)
    return tmp_path


@pytest.fixture(scope="module")
def encoder(experiment):
    return load_encoder(experiment)


@pytest.fixture
def collected(encoder, folder):
    return collect_routing(encoder, PATHS, folder)


def test_embeddings_are_those_of_the_encoder(encoder, folder, collected):
    expected = describe_files(encoder, PATHS, folder).embeddings
    np.testing.assert_allclose(collected["embedding"], expected, atol=1e-6)


def test_the_sum_of_all_experts_gives_the_embedding(collected):
    raw, weights = (torch.tensor(collected[k]) for k in ("raw", "weights"))
    rebuilt = aggregate(raw, weights)[0][:, 0]
    np.testing.assert_allclose(rebuilt, collected["embedding"], atol=1e-5)


def test_shared_stages_and_an_always_on_expert_are_rebuilt_too(
    folder, compute_features, tiny_expert
):
    bank = ExpertBank(
        3, expert=tiny_expert, emb_dim=16, n_shared_blocks=2, always_on=True
    )
    model = MoEECAPA(GatingCNN(n_experts=3), bank, always_on_weight=0.3)
    encoder = SimpleNamespace(
        device="cpu",
        audio_normalizer=AudioNormalizer(16000),
        mods=SimpleNamespace(
            compute_features=compute_features,
            mean_var_norm=PassThrough(),
            embedding_model=model,
        ),
    )
    found = collect_routing(encoder, PATHS, folder)
    assert found["raw"].shape == (3, 4, 16)
    assert found["weights"][:, 3].tolist() == pytest.approx([0.3] * 3)
    raw, weights = (torch.tensor(found[k]) for k in ("raw", "weights"))
    rebuilt = aggregate(raw, weights)[0][:, 0]
    np.testing.assert_allclose(rebuilt, found["embedding"], atol=1e-5)


def test_experts_that_were_not_chosen_weigh_nothing(collected):
    weights, chosen = collected["weights"], collected["expert_ids"]
    assert chosen.shape == (3, 2)
    assert ((weights > 0).sum(1) == 2).all()
    np.testing.assert_allclose(
        np.take_along_axis(weights, chosen, 1), collected["expert_weights"]
    )


def test_duration_is_that_of_the_file(collected):
    assert collected["duration_s"].tolist() == [0.5, 0.5625, 0.625]


def test_the_always_on_expert_takes_its_share():
    chosen = Selection(torch.tensor([[1, 0]]), torch.tensor([[0.75, 0.25]]))
    weights = weights_of_all(chosen, n_all=3, always_on_weight=0.2)
    assert weights[0].tolist() == pytest.approx([0.2, 0.6, 0.2])


@pytest.mark.parametrize("wanted_db", [5, 15, 30])
def test_snr_estimate_rises_with_the_snr(wanted_db):
    rng = np.random.default_rng(0)
    speech = rng.normal(size=32000) * (np.arange(32000) % 8000 < 4000)
    noise = 10 ** (-wanted_db / 20) * rng.normal(size=32000)
    # bursts, half the time: energies of 25 ms frames scatter by a decibel
    assert estimate_snr_db(speech + noise, 16000) == pytest.approx(
        wanted_db, abs=3
    )


def test_silence_has_no_snr_and_digital_pauses_the_largest():
    assert estimate_snr_db(np.zeros(16000), 16000) == 0.0
    speech = np.random.default_rng(0).normal(size=16000)
    speech[:8000] = 0
    assert estimate_snr_db(speech, 16000) == 60.0


def test_a_missing_file_is_named(encoder, folder):
    with pytest.raises(AudioError, match="no_such.wav"):
        collect_routing(encoder, ["no_such.wav"], folder)


def test_a_file_too_short_is_named(encoder, folder):
    soundfile.write(folder / "short.wav", np.ones(1000), 16000)
    with pytest.raises(AudioError, match=r"short.wav: lasts 0.06"):
        collect_routing(encoder, ["short.wav"], folder)


def test_a_silent_file_is_named(encoder, folder):
    soundfile.write(folder / "silent.wav", np.zeros(16000), 16000)
    with pytest.raises(AudioError, match=r"silent.wav: silence at -120 dB"):
        collect_routing(encoder, ["silent.wav"], folder)


def test_a_silent_window_within_a_long_file_is_allowed(encoder, folder):
    rng = np.random.default_rng(0)
    wav = np.zeros(31 * 16000)
    wav[:16000] = 0.1 * rng.normal(size=16000)
    soundfile.write(folder / "long.wav", wav, 16000)
    found = collect_routing(encoder, ["long.wav"], folder)
    assert found["duration_s"].tolist() == [31.0]


def test_other_rates_are_resampled(encoder, folder):
    wav, _ = soundfile.read(folder / PATHS[0])
    wav = np.fft.irfft(np.fft.rfft(wav), 3 * len(wav)) * 3
    soundfile.write(folder / "fast.wav", wav, 48000)
    found = collect_routing(encoder, [PATHS[0], "fast.wav"], folder)
    assert found["duration_s"].tolist() == [0.5, 0.5]
    one, other = found["embedding"]
    assert one @ other > 0.99 * np.linalg.norm(one) * np.linalg.norm(other)


def test_an_encoder_without_experts_is_refused(encoder, monkeypatch):
    monkeypatch.setattr(
        encoder.mods, "embedding_model", torch.nn.Identity(), raising=False
    )
    with pytest.raises(PackageError, match="is a Identity"):
        collect_routing(encoder, PATHS, "nowhere")
