import pytest
import torch

from speechbrain_moe.training.stability import (
    add_noise,
    crop_half,
    first_choice,
    same_routes,
)


@pytest.mark.parametrize("gate_input", ["raw", "normalised"])
@pytest.mark.parametrize("selection, top_k", [("top_k", 1), ("soft", 1)])
def test_first_choice_is_that_of_the_model(
    tiny_model, utterances, gate_input, selection, top_k
):
    model = tiny_model(4, selection, top_k, gate_input=gate_input)
    if selection == "top_k":
        model.expert_bias.copy_(torch.tensor([0.0, 0.3, 0.0, -0.2]))
    model.gate_temperature.fill_(0.5)
    feats = utterances(24)
    with torch.no_grad():
        _, routing = model(feats, return_routing=True)
        found = first_choice(model, feats)
    best = routing.expert_weights.argmax(1, keepdim=True)
    wanted = routing.expert_ids.gather(1, best).squeeze(1)
    assert torch.equal(found, wanted)
    assert len(found.unique()) > 1


@pytest.mark.parametrize("snr_db", [0.0, 10.0])
def test_noise_has_the_level_asked_for_in_each_utterance(snr_db):
    wavs = torch.tensor([[0.01], [1.0]]) * torch.randn(2, 8000)
    noise = add_noise(wavs, snr_db, torch.Generator()) - wavs
    ratio = wavs.square().mean(1) / noise.square().mean(1)
    wanted = torch.full((2,), snr_db)
    assert torch.allclose(10 * ratio.log10(), wanted, atol=1e-4)


def test_silence_stays_finite():
    assert add_noise(torch.zeros(1, 9), 10.0, torch.Generator()).sum() == 0


def test_crops_are_stretches_that_start_anywhere():
    wav, starts = torch.arange(10.0).unsqueeze(0), set()
    generator = torch.Generator()
    for _ in range(60):
        crop = crop_half(wav, generator)[0]
        assert torch.equal(crop, torch.arange(5) + crop[0])
        starts.add(int(crop[0]))
    assert starts == set(range(6))


def test_share_counts_the_utterances_whose_choice_stays():
    """Choice by the first sample, which noise of 10 dB makes fall in half."""
    wavs = torch.ones(400, 10)
    generator = torch.Generator().manual_seed(0)
    found = same_routes(lambda w: w[:, 0] >= 1, wavs, generator)
    assert found["noise"] == pytest.approx(0.5, abs=0.1)
    assert found["crop"] == 1.0


def test_disturbances_leave_the_global_draws_alone():
    state = torch.get_rng_state()
    same_routes(lambda w: w[:, 0], torch.ones(1, 100), torch.Generator())
    assert torch.equal(torch.get_rng_state(), state)
