import math

import pytest
import torch
import torch.nn.functional as F

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.lobes.losses import (
    AngularMarginLoss,
    balance_loss,
    expert_load,
    z_loss,
)


def slow_loss(cosines, labels, margin, scale):
    """One utterance after the other, by the angle itself."""
    total = 0.0
    for row, own in zip(cosines.tolist(), labels.tolist()):
        angle = math.acos(row[own])
        row[own] = math.cos(angle + margin)
        if angle + margin > math.pi:
            row[own] = math.cos(angle) - 1 + math.cos(margin)
        powers = [math.exp(scale * cosine) for cosine in row]
        total -= math.log(powers[own] / sum(powers))
    return total / len(labels)


def target_logit(angles, margin, scale=30.0):
    """The own speaker's logit, from the loss against one logit of 0."""
    compute_loss = AngularMarginLoss(margin=margin, scale=scale)
    cosines = torch.stack([angles.cos(), torch.zeros_like(angles)], 1)
    labels = torch.zeros(1, dtype=torch.int64)
    losses = [compute_loss(row.unsqueeze(0), labels) for row in cosines]
    return -torch.stack(losses).double().expm1().log()


@pytest.fixture
def cosines():
    return 2 * torch.rand(40, 7) - 1


@pytest.fixture
def labels():
    return torch.randint(7, (40,))


@pytest.mark.parametrize("margin", [0.0, 0.2, 0.5, 1.5])
@pytest.mark.parametrize("scale", [5.0, 30.0])
def test_loss_equals_a_slow_one_by_the_angle(cosines, labels, margin, scale):
    found = AngularMarginLoss(margin=margin, scale=scale)(cosines, labels)
    wanted = slow_loss(cosines.double(), labels, margin, scale)
    assert found.item() == pytest.approx(wanted, rel=1e-5)


def test_own_speaker_beyond_the_margin_equals_the_slow_one(cosines, labels):
    worst = cosines.scatter(1, labels.unsqueeze(1), -0.999)
    found = AngularMarginLoss(margin=0.5)(worst, labels)
    wanted = slow_loss(worst.double(), labels, 0.5, 30.0)
    assert found.item() == pytest.approx(wanted, rel=1e-5)


def test_two_speakers_by_hand():
    compute_loss = AngularMarginLoss(margin=math.pi / 3, scale=2.0)
    found = compute_loss(torch.tensor([[0.5, 0.0]]), torch.tensor([0]))
    wanted = math.log(1 + math.exp(2 * 0.5))  # cos(60 + 60 degrees) = -1/2
    assert found.item() == pytest.approx(wanted, rel=1e-6)


def test_without_margin_it_is_plain_cross_entropy(cosines, labels):
    found = AngularMarginLoss(margin=0.0)(cosines, labels)
    assert torch.allclose(found, F.cross_entropy(30 * cosines, labels))


def test_both_names_give_the_same_value(cosines, labels):
    one, other = (
        AngularMarginLoss(name)(cosines, labels)
        for name in ("aam_softmax", "arcface")
    )
    assert torch.equal(one, other)


def test_speechbrain_shapes_give_the_same_value(cosines, labels):
    compute_loss = AngularMarginLoss()
    stock = compute_loss(cosines.unsqueeze(1), labels.unsqueeze(1))
    assert torch.equal(stock, compute_loss(cosines, labels))


def test_half_precision_cosines_give_a_float32_loss(cosines, labels):
    loss = AngularMarginLoss()(cosines.bfloat16(), labels)
    assert loss.dtype == torch.float32


@pytest.mark.parametrize("margin", [0.2, 0.5, 1.0])
def test_target_does_not_jump_where_angle_and_margin_reach_pi(margin):
    edge = math.pi - margin
    angles = torch.tensor([edge - 1e-4, edge + 1e-4])
    before, after = target_logit(angles, margin, scale=1.0)
    assert abs(before - after) < 3e-4


@pytest.mark.parametrize("margin", [0.0, 0.2, 0.5, 1.0, math.pi / 2])
def test_target_falls_all_the_way_to_pi(margin):
    angles = torch.linspace(0.05, math.pi - 0.01, 100)
    assert target_logit(angles, margin, scale=3.0).diff().max() < 0


@pytest.mark.parametrize("cosine", [1.0, -1.0])
@pytest.mark.parametrize("margin", [0.0, 0.2])
def test_gradient_is_finite_at_the_ends(cosine, margin):
    cosines = torch.full((2, 3), cosine, requires_grad=True)
    AngularMarginLoss(margin=margin)(cosines, torch.tensor([0, 1])).backward()
    assert torch.isfinite(cosines.grad).all() and cosines.grad.abs().sum() > 0


@pytest.mark.parametrize("margin", [0.0, 0.2, 1.5])
def test_an_embedding_opposite_to_its_speaker_is_pulled_back(margin):
    cosines = torch.tensor([[-1.0, 0.2]], requires_grad=True)
    AngularMarginLoss(margin=margin)(cosines, torch.tensor([0])).backward()
    assert cosines.grad[0, 0].item() == pytest.approx(-30, rel=1e-3)


def test_margin_is_kept_in_the_state(cosines, labels):
    before, after = AngularMarginLoss(margin=0.2), AngularMarginLoss(margin=0.0)
    before.set_margin(0.35)
    after.load_state_dict(before.state_dict())
    assert after.margin.item() == pytest.approx(0.35)
    assert torch.equal(after(cosines, labels), before(cosines, labels))


def test_a_larger_margin_is_a_larger_loss(cosines, labels):
    compute_loss = AngularMarginLoss()
    losses = []
    for margin in (0.0, 0.1, 0.2, 0.4):
        compute_loss.set_margin(margin)
        losses.append(compute_loss(cosines, labels).item())
    assert losses == sorted(losses) and losses[0] < losses[-1]


@pytest.mark.parametrize("name", ["softmax", "AAM", None])
def test_unknown_loss_is_refused(name):
    with pytest.raises(HyperparameterError, match="loss is .*arcface"):
        AngularMarginLoss(name)


@pytest.mark.parametrize("margin", [-0.1, 1.6, 20, float("nan")])
def test_margin_out_of_range_is_refused(margin):
    wanted = "margin is .* from 0 to pi/2 radians"
    with pytest.raises(HyperparameterError, match=wanted):
        AngularMarginLoss(margin=margin)
    compute_loss = AngularMarginLoss(margin=0.2)
    with pytest.raises(HyperparameterError, match=wanted):
        compute_loss.set_margin(margin)
    assert compute_loss.margin.item() == pytest.approx(0.2)


@pytest.mark.parametrize("scale", [0, -30.0, float("nan")])
def test_scale_out_of_range_is_refused(scale):
    with pytest.raises(HyperparameterError, match="scale is .* above 0"):
        AngularMarginLoss(scale=scale)


@pytest.mark.parametrize("top_k", [1, 2, 5])
def test_load_sums_to_one_for_any_k(top_k):
    expert_ids = torch.randn(30, 5).topk(top_k).indices
    load = expert_load(expert_ids, 5)
    assert load.sum().item() == pytest.approx(1)
    share = (expert_ids == 3).sum().item() / (30 * top_k)
    assert load[3].item() == pytest.approx(share)


def test_experts_nobody_chose_have_no_load():
    load = expert_load(torch.zeros(6, 1, dtype=torch.int64), 4)
    assert load.tolist() == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("n_experts", [1, 2, 4, 8])
def test_balance_loss_is_one_when_even_and_e_when_collapsed(n_experts):
    even = torch.full((6, n_experts), 1 / n_experts)
    collapsed = F.one_hot(torch.zeros(6, dtype=torch.int64), n_experts).float()
    assert balance_loss(even, even[0]).item() == pytest.approx(1)
    assert balance_loss(collapsed, collapsed[0]).item() == n_experts


def test_balance_gradient_flows_through_the_probabilities_alone():
    gate_logits = torch.randn(9, 4, requires_grad=True)
    load = torch.tensor([0.7, 0.1, 0.1, 0.1], requires_grad=True)
    gate_probs = gate_logits.softmax(1)
    gate_probs.retain_grad()
    balance_loss(gate_probs, load).backward()
    assert load.grad is None
    assert torch.allclose(gate_probs.grad, 4 * load.expand(9, 4) / 9)
    assert gate_logits.grad[:, 0].min() > 0  # less of what is overloaded


def test_a_step_down_the_balance_loss_evens_the_probabilities():
    gate_logits = torch.tensor([[2.0, 0.0, 0.0]] * 5, requires_grad=True)
    load = torch.tensor([1.0, 0.0, 0.0])
    balance_loss(gate_logits.softmax(1), load).backward()
    stepped = (gate_logits - gate_logits.grad).softmax(1)
    assert stepped[0, 0] < gate_logits.softmax(1)[0, 0]


def test_z_loss_of_even_logits_is_the_square_of_log_e():
    assert z_loss(torch.zeros(3, 8)).item() == pytest.approx(math.log(8) ** 2)


def test_z_loss_pushes_all_logits_one_way_and_none_apart_when_even():
    gate_logits = torch.full((2, 4), 3.0, requires_grad=True)
    z_loss(gate_logits).backward()
    first = gate_logits.grad[0, 0]
    assert first > 0
    assert torch.allclose(gate_logits.grad, first.expand(2, 4))


def test_z_loss_has_no_gradient_where_the_partition_is_one():
    gate_logits = torch.randn(6, 4).log_softmax(1).requires_grad_()
    z_loss(gate_logits).backward()
    assert gate_logits.grad.abs().max() < 1e-6
