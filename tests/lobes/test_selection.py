import pytest
import torch

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.lobes.selection import (
    select_experts,
    straight_through_weights,
)


@pytest.fixture
def gate_probs():
    return torch.randn(32, 5).softmax(1)


def spread(chosen, n_experts):
    """Weights [B, E], zero where an expert was not chosen."""
    weights = torch.zeros(len(chosen.expert_ids), n_experts)
    return weights.scatter(1, chosen.expert_ids, chosen.expert_weights)


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


def test_uniform_takes_all_experts_evenly():
    even = torch.full((32, 5), 0.2)  # what comes where no gate is asked
    assert torch.equal(spread(select_experts(even, "uniform"), 5), even)


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
