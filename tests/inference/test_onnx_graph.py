import pytest
import torch
import torch.nn.functional as F
from speechbrain.dataio.dataio import length_to_mask

from speechbrain_moe.inference.onnx_graph import (
    ConvolutionSTFT,
    WaveformEncoder,
    mask_of_lengths,
)

MODELS = {
    "soft": {"selection": "soft"},
    "soft_normalised": {"selection": "soft", "gate_input": "normalised"},
    "top_1": {"selection": "top_k", "top_k": 1},
    "top_2": {"selection": "top_k", "top_k": 2},
    "uniform": {"selection": "uniform"},
    "plain": {"selection": "uniform", "n_experts": 1},
    "shared": {"top_k": 2, "bank": {"n_shared_blocks": 3}},
    "all_shared": {"top_k": 2, "bank": {"n_shared_blocks": 5}},
    "always_on": {
        "top_k": 2,
        "always_on_weight": 0.4,
        "bank": {"always_on": True, "n_shared_blocks": 2},
    },
    "overrides": {
        "bank": {
            "expert_overrides": [
                {},
                {"kernel_sizes": [3, 3, 3, 3, 1]},
                {"dilations": [1, 3, 5, 7, 1]},
                {"global_context": False},
            ]
        },
    },
}


@pytest.fixture
def both(tiny_model, compute_features):
    """A model and its form for export, of one of MODELS."""

    def make(name):
        model = tiny_model(**MODELS[name])
        return model, WaveformEncoder(compute_features, model).eval()

    return make


def distance(one, other):
    return (1 - F.cosine_similarity(one.double(), other.double())).max()


def run(model, compute_features, wavs):
    with torch.no_grad():
        embedding, routing = model(compute_features(wavs), return_routing=True)
    weights = torch.zeros(len(wavs), model.n_experts)
    weights.scatter_(1, routing.expert_ids, routing.expert_weights)
    return embedding.squeeze(1), weights


@pytest.mark.parametrize("name", MODELS)
def test_all_experts_weighted_give_what_the_chosen_ones_give(
    both, compute_features, voices, name
):
    model, encoder = both(name)
    wavs = voices(8, 8000)
    wanted, weights_wanted = run(model, compute_features, wavs)
    embeddings, weights = encoder(wavs)
    assert distance(embeddings, wanted) < 1e-9
    assert torch.allclose(weights, weights_wanted, atol=1e-5)
    assert torch.equal(weights > 0, weights_wanted > 0)


def test_several_experts_are_chosen_in_these_tests(both, voices):
    _, encoder = both("top_1")
    _, weights = encoder(voices(8, 8000))
    assert len(weights.argmax(1).unique()) > 1


def test_bias_and_temperature_of_the_gate_are_kept(
    both, compute_features, voices
):
    model, encoder = both("top_2")
    wavs = voices(8, 8000)
    _, before = encoder(wavs)
    model.expert_bias.copy_(torch.tensor([0.4, -0.4, 0.0, 0.3]))
    model.gate_temperature.fill_(3.0)
    _, after = encoder(wavs)
    _, wanted = run(model, compute_features, wavs)
    assert not torch.equal(before > 0, after > 0)
    assert torch.allclose(after, wanted, atol=1e-5)


def test_utterances_of_a_padded_batch_are_those_alone(both, voices):
    _, encoder = both("top_2")
    wavs = voices(4, 16000)
    sizes = (16000, 9999, 4801, 1600)
    for wav, size in zip(wavs, sizes):
        wav[size:] = 0
    together, _ = encoder(wavs)
    alone = torch.cat([encoder(w[None, :n])[0] for w, n in zip(wavs, sizes)])
    assert distance(together, alone) < 1e-9


def test_silence_has_the_embedding_that_torch_gives(both, compute_features):
    model, encoder = both("soft")
    silence = torch.zeros(1, 16000)
    wanted, _ = run(model, compute_features, silence)
    assert distance(encoder(silence)[0], wanted) < 1e-9


def test_features_count_frames_as_torch_at_any_remainder_of_the_hop(
    both, compute_features, voices
):
    _, encoder = both("plain")
    wav = voices(1, 1600 + 160)
    for n_samples in range(1600, 1760):
        ours = encoder.compute_features(wav[:, :n_samples])
        wanted = compute_features(wav[:, :n_samples])
        assert ours.shape == wanted.shape
        assert torch.allclose(ours, wanted, atol=0.05)


def test_convolution_gives_the_bins_of_the_fourier_transform(
    compute_features, voices
):
    stft = compute_features.compute_STFT
    wavs = voices(2, 4000)
    wanted = stft(wavs)
    error = (ConvolutionSTFT(stft)(wavs) - wanted).abs().max()
    assert error < 1e-6 * wanted.abs().max()


def test_band_limited_sound_has_the_embedding_that_torch_gives(
    both, compute_features, voices
):
    # All high bins are 80 dB down, where float32 rounds most
    model, encoder = both("soft")
    spectrum = torch.fft.rfft(voices(3, 16000))
    spectrum[:, 3000:] = 0
    wavs = torch.fft.irfft(spectrum)
    wanted, _ = run(model, compute_features, wavs)
    assert distance(encoder(wavs)[0], wanted) < 1e-7


def test_features_of_the_model_are_left_as_they_were(both, compute_features):
    before = compute_features.compute_STFT
    both("plain")
    assert compute_features.compute_STFT is before


def test_mask_is_speechbrains():
    lengths = torch.tensor([0.5, 3.0, 2.2])
    wanted = length_to_mask(lengths, 3)
    assert torch.equal(mask_of_lengths(lengths, 3), wanted)
    assert mask_of_lengths(lengths, 3).dtype == wanted.dtype
