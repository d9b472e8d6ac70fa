import pytest
import torch

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.lobes.gate import (
    GatingCNN,
    masked_statistics,
    select_experts,
    straight_through_weights,
)
from speechbrain_moe.lobes.losses import expert_load
from speechbrain_moe.lobes.padding import frame_mask, remove_level, remove_mean


@pytest.fixture
def gate():
    return GatingCNN(n_experts=4, channels=[16, 16])


@pytest.fixture
def gate_probs():
    return torch.randn(32, 5).softmax(1)


def spread(chosen, n_experts):
    """Weights [B, E], zero where an expert was not chosen."""
    weights = torch.zeros(len(chosen.expert_ids), n_experts)
    return weights.scatter(1, chosen.expert_ids, chosen.expert_weights)


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
    counts = torch.full((256,), feats.shape[1])
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


@pytest.mark.parametrize("top_k", [1, 2, 3, 4, 5])
def test_top_k_keeps_the_k_most_probable_and_weights_sum_to_one(
    gate_probs, top_k
):
    expert_ids, weights = select_experts(gate_probs, "top_k", top_k)
    wanted = gate_probs.argsort(1, descending=True)[:, :top_k]
    ratio = weights / gate_probs.gather(1, wanted)
    assert torch.equal(expert_ids, wanted)
    assert torch.allclose(weights.sum(1), torch.ones(32))
    assert torch.allclose(ratio, ratio[:, :1].expand_as(ratio))


def test_top_k_of_a_hand_worked_row():
    gate_probs = torch.tensor([[0.1, 0.6, 0.2, 0.1]])
    chosen = select_experts(gate_probs, "top_k", 2)
    assert chosen.expert_ids.tolist() == [[1, 2]]
    assert torch.allclose(chosen.expert_weights, torch.tensor([[0.75, 0.25]]))


def test_top_k_of_all_experts_equals_soft(gate_probs):
    hard = spread(select_experts(gate_probs, "top_k", 5), 5)
    soft = spread(select_experts(gate_probs, "soft"), 5)
    assert torch.allclose(hard, soft) and torch.equal(soft, gate_probs)


def test_uniform_ignores_the_gate(gate_probs):
    weights = spread(select_experts(gate_probs, "uniform"), 5)
    assert torch.equal(weights, torch.full((32, 5), 0.2))


@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_straight_through_is_hard_forward_and_soft_backward(gate_probs, top_k):
    gate_probs.requires_grad_()
    chosen = select_experts(gate_probs, "top_k", top_k)
    weights = straight_through_weights(gate_probs, chosen)
    slope = torch.randn(32, 5)
    (weights * slope).sum().backward()
    assert torch.equal(weights, spread(chosen, 5))
    assert weights.eq(0).sum(1).tolist() == [5 - top_k] * 32
    assert torch.equal(gate_probs.grad, slope)


@pytest.mark.parametrize("n_experts", [0, -1, "4", 1.5, None, True])
def test_wrong_number_of_experts_is_refused(n_experts):
    with pytest.raises(HyperparameterError, match="n_experts is .*1 or more"):
        GatingCNN(n_experts=n_experts)


@pytest.mark.parametrize("top_k", [0, -1, 6, "2", 1.0, None, True])
def test_top_k_outside_one_to_e_is_refused(gate_probs, top_k):
    wanted = f"top_k is {top_k!r} and n_experts is 5: choose .* 1 to 5"
    with pytest.raises(HyperparameterError, match=wanted):
        select_experts(gate_probs, "top_k", top_k)


@pytest.mark.parametrize("selection", ["top-k", "", None, "noisy"])
def test_unknown_selection_is_refused(gate_probs, selection):
    wanted = "selection is .* choose one of soft, top_k, uniform"
    with pytest.raises(HyperparameterError, match=wanted):
        select_experts(gate_probs, selection)


def test_even_kernel_size_is_refused():
    wanted = "gate_kernel_size is 4: choose an odd"
    with pytest.raises(HyperparameterError, match=wanted):
        GatingCNN(kernel_size=4)
