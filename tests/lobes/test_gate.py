import pytest
import torch

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.lobes.gate import GatingCNN, masked_statistics
from speechbrain_moe.lobes.losses import expert_load
from speechbrain_moe.lobes.padding import (
    frame_counts,
    frame_mask,
    remove_level,
    remove_mean,
)
from speechbrain_moe.lobes.selection import select_experts


@pytest.fixture
def gate():
    return GatingCNN(n_experts=4, channels=[16, 16])


@pytest.mark.parametrize("n_frames", [1, 2, 5, 6, 7, 8, 9, 60, 99])
def test_padding_does_not_change_the_logits(gate, n_frames):
    feats = torch.randn(2, n_frames, 80)
    padded = torch.nn.functional.pad(feats, (0, 0, 0, 37))
    counts = torch.full((2,), n_frames)
    assert torch.allclose(gate(feats, counts), gate(padded, counts), atol=1e-6)


def test_batch_mates_do_not_change_the_logits(gate):
    gate.eval()
    feats, counts = torch.randn(6, 50, 80), torch.full((6,), 50)
    alone = torch.cat([gate(feats[i : i + 1], counts[:1]) for i in range(6)])
    assert torch.allclose(gate(feats, counts), alone, atol=1e-6)


def test_single_frames_give_finite_gradients(gate):
    gate(torch.randn(4, 1, 80), torch.ones(4).long()).sum().backward()
    gradients = [p.grad for p in gate.parameters()]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_logits_are_the_same_float32_numbers_under_autocast(gate):
    feats, counts = torch.randn(2, 40, 80), torch.tensor([40, 30])
    with torch.autocast("cpu", torch.bfloat16):
        found = gate(feats.bfloat16().float(), counts)
    assert found.dtype == torch.float32
    assert torch.equal(found, gate(feats.bfloat16().float(), counts))


def test_statistics_are_mean_and_deviation_of_the_valid_frames():
    hidden = torch.randn(2, 3, 50)
    counts = torch.tensor([50, 20])
    masked = hidden * frame_mask(counts, 50).transpose(1, 2)
    found = masked_statistics(masked, counts, eps=0)
    for row, n in enumerate(counts.tolist()):
        speech = hidden[row, :, :n]
        wanted = torch.cat([speech.mean(1), speech.std(1, correction=0)])
        assert torch.allclose(found[row], wanted, atol=1e-5)


@pytest.mark.parametrize("n_experts", [4, 8])
@pytest.mark.parametrize("remove", [remove_level, remove_mean])
def test_no_expert_starts_with_more_than_twice_its_share(
    voices, compute_features, n_experts, remove
):
    feats = compute_features(voices(256, 8000))
    counts = frame_counts(feats)
    feats = remove(feats, frame_mask(counts, feats.shape[1]))
    highest = 0.0
    for seed in range(6):
        torch.manual_seed(seed)
        gate = GatingCNN(n_experts=n_experts)
        with torch.no_grad():
            gate_probs = gate(feats, counts).softmax(1)
        for top_k in (1, 2):
            chosen = select_experts(gate_probs, "top_k", top_k)
            load = expert_load(chosen.expert_ids, n_experts)
            highest = max(highest, load.max().item())
    assert highest <= 2 / n_experts


@pytest.mark.parametrize("n_experts", [4, 8])
def test_fresh_probabilities_are_nearly_even_but_do_not_tie(n_experts):
    gate = GatingCNN(n_experts=n_experts)
    gate_probs = gate(torch.randn(8, 50, 80), torch.full((8,), 50)).softmax(1)
    assert (gate_probs - 1 / n_experts).abs().max() < 0.5 / n_experts
    gaps = gate_probs.sort(1).values.diff(dim=1)
    assert gaps.min() > 0


@pytest.mark.parametrize("n_experts", [0, -1, "4", 1.5, None, True])
def test_wrong_number_of_experts_is_refused(n_experts):
    with pytest.raises(HyperparameterError, match="n_experts is .*1 or more"):
        GatingCNN(n_experts=n_experts)


def test_even_kernel_size_is_refused():
    wanted = "gate_kernel_size is 4: choose an odd"
    with pytest.raises(HyperparameterError, match=wanted):
        GatingCNN(kernel_size=4)
