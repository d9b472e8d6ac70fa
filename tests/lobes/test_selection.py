import pytest
import torch

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.lobes.selection import (
    Selection,
    add_rival,
    check_choice,
    check_share,
    drop_experts,
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


@pytest.mark.parametrize("top_k", [1, 2, 5])
def test_zero_bias_routes_as_no_bias(gate_probs, top_k):
    wanted = select_experts(gate_probs, "top_k", top_k)
    found = select_experts(gate_probs, "top_k", top_k, bias=torch.zeros(5))
    assert torch.equal(found.expert_ids, wanted.expert_ids)
    assert torch.equal(found.expert_weights, wanted.expert_weights)


def test_bias_changes_the_choice_and_never_the_weights(gate_probs):
    """Weights of a biased choice are the bare probabilities, scaled."""
    bias = torch.tensor([0.0, 0.0, 0.9, 0.0, -0.9])
    expert_ids, weights = select_experts(gate_probs, "top_k", 2, bias=bias)
    assert (expert_ids == 2).any(1).all() and not (expert_ids == 4).any()
    kept = gate_probs.gather(1, expert_ids)
    assert torch.equal(weights, kept / kept.sum(1, keepdim=True))


@pytest.mark.parametrize("selection", ["soft", "uniform"])
def test_bias_has_no_say_where_all_experts_run(gate_probs, selection):
    bias = torch.tensor([9.0, 0.0, 0.0, 0.0, -9.0])
    found = select_experts(gate_probs, selection, bias=bias)
    assert torch.equal(spread(found, 5), gate_probs)


def test_bias_gets_no_gradient_and_takes_none_from_the_gate(gate_probs):
    bias = torch.zeros(5, requires_grad=True)
    gate_probs.requires_grad_()
    chosen = select_experts(gate_probs, "top_k", 2, bias=bias)
    chosen.expert_weights[:, 0].sum().backward()
    assert bias.grad is None and gate_probs.grad.abs().max() > 0


@pytest.mark.parametrize("top_k", [1, 2])
def test_bias_never_chooses_an_expert_that_was_taken_out(top_k):
    """Its probability is 0: the weights would be 0 / 0."""
    gate_probs = torch.tensor([[0.0, 0.6, 0.3, 0.1]]).expand(3, 4)
    bias = torch.tensor([1.0, 0.0, 0.0, 0.0])
    chosen = select_experts(gate_probs, "top_k", top_k, bias=bias)
    assert chosen.expert_ids.tolist() == [[1, 2][:top_k]] * 3
    assert torch.allclose(chosen.expert_weights.sum(1), torch.ones(3))


@pytest.mark.parametrize("n_kept", [1, 2, 4])
def test_expert_dropout_keeps_as_many_as_asked(n_kept):
    left = drop_experts(torch.randn(500, 4), 0.95, n_kept).isfinite().sum(1)
    assert left.min() == n_kept
    assert (left == n_kept).float().mean() > 0.75


def test_expert_dropout_takes_each_expert_out_equally_often():
    """Of 3 that may go, each goes with probability prob."""
    gate_logits = torch.randn(8000, 4)
    left = drop_experts(gate_logits, 0.4, 1)
    shares = left.isinf().float().mean(0)
    # The kept one has the largest of 4 draws: 4 * 0.4 - 0.4^4 go, over 4
    wanted = torch.full((4,), 0.4 - 0.4**4 / 4)
    assert torch.allclose(shares, wanted, atol=0.02)
    stays = left.isfinite()
    assert torch.equal(left[stays], gate_logits[stays])


def test_rival_is_another_expert_of_weight_zero(gate_probs):
    chosen = select_experts(gate_probs, "top_k", 1)
    both = add_rival(gate_probs, chosen)
    assert torch.equal(both.expert_ids[:, :1], chosen.expert_ids)
    assert both.expert_ids[:, 0].ne(both.expert_ids[:, 1]).all()
    assert both.expert_weights.tolist() == [[1.0, 0.0]] * 32


def test_rivals_are_drawn_by_probability():
    gate_probs = torch.tensor([[0.6, 0.3, 0.1, 0.0]]).expand(6000, 4)
    first = torch.zeros(6000, 1, dtype=torch.int64)
    chosen = Selection(first, torch.ones(6000, 1))
    rivals = add_rival(gate_probs, chosen).expert_ids[:, 1]
    shares = rivals.bincount(minlength=4) / 6000
    wanted = torch.tensor([0.0, 0.75, 0.25, 0.0])
    assert torch.allclose(shares, wanted, atol=0.02)


def test_a_gate_that_is_wholly_sure_still_gets_a_rival():
    """Logits 110 apart: the others' probabilities are 0 in float32."""
    gate_probs = torch.tensor([[110.0, 0.0]]).softmax(1)
    both = add_rival(gate_probs, select_experts(gate_probs, "top_k", 1))
    assert both.expert_ids.tolist() == [[0, 1]]


@pytest.mark.parametrize("value", [-0.1, 1.0, 1.5, float("nan")])
def test_share_outside_zero_to_one_is_refused(value):
    with pytest.raises(HyperparameterError, match="expert_dropout is .*0 to"):
        check_share("expert_dropout", value)


def test_unknown_choice_is_refused_by_key():
    with pytest.raises(
        HyperparameterError, match="execution is 'fast'.*a or b"
    ):
        check_choice("execution", "fast", ("a", "b"))
