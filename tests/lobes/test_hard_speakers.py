"""The hard speakers of AngularMarginLoss."""

import math

import pytest
import torch

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.lobes.losses import AngularMarginLoss, hardest


def slow_loss(cosines, labels, n_hard, hard_margin):
    """One utterance after the other, by the angles; margin 0.2, scale 30."""
    total = 0.0
    for row, own in zip(cosines.tolist(), labels.tolist()):
        others = [j for j in range(len(row)) if j != own]
        for j in sorted(others, key=lambda j: -row[j])[:n_hard]:
            row[j] = math.cos(math.acos(row[j]) - hard_margin)
        row[own] = math.cos(math.acos(row[own]) + 0.2)
        powers = [math.exp(30 * cosine) for cosine in row]
        total -= math.log(powers[own] / sum(powers))
    return total / len(labels)


@pytest.fixture
def cosines():
    return 2 * torch.rand(40, 7) - 1


@pytest.fixture
def labels():
    return torch.randint(7, (40,))


@pytest.mark.parametrize("n_hard", [1, 3, 6, 100])
@pytest.mark.parametrize("hard_margin", [0.06, 0.5])
def test_loss_with_hard_speakers_equals_a_slow_one(
    cosines, labels, n_hard, hard_margin
):
    cosines = 0.8 * cosines  # angles that stay above the hard margin
    compute_loss = AngularMarginLoss(
        n_hard_speakers=n_hard, hard_margin=hard_margin
    )
    found = compute_loss(cosines, labels)
    wanted = slow_loss(cosines.double(), labels, n_hard, hard_margin)
    plain = AngularMarginLoss()(cosines, labels)
    assert found.item() == pytest.approx(wanted, rel=1e-5)
    assert found > plain + 1e-3


def test_a_hard_speaker_by_hand():
    compute_loss = AngularMarginLoss(
        margin=0.0, scale=2.0, n_hard_speakers=1, hard_margin=math.pi / 6
    )
    cosines = torch.tensor([[0.5, 0.0, -0.5]])
    found = compute_loss(cosines, torch.tensor([0]))
    powers = [math.exp(2 * c) for c in (0.5, 0.5, -0.5)]  # cos(90 - 30) = 0.5
    assert found.item() == pytest.approx(-math.log(powers[0] / sum(powers)))


def test_hard_speakers_are_the_nearest_others_and_never_the_own(
    cosines, labels
):
    own = labels.unsqueeze(1)
    nearest = cosines.scatter(1, own, 0.999)
    found = hardest(nearest, own, 3)
    for row, hard, label in zip(nearest, found.tolist(), labels.tolist()):
        others = [j for j in row.argsort(descending=True) if j != label]
        assert hard == [int(j) for j in others[:3]]


def test_more_hard_speakers_than_others_are_all_others(cosines, labels):
    found = hardest(cosines, labels.unsqueeze(1), 100)
    wanted = [[j for j in range(7) if j != own] for own in labels.tolist()]
    assert found.sort(1).values.tolist() == wanted


def test_one_speaker_alone_has_no_hard_ones():
    loss = AngularMarginLoss(n_hard_speakers=5)(
        torch.tensor([[0.3]]), torch.tensor([0])
    )
    assert loss.item() == 0


@pytest.mark.parametrize("hard_margin", [0.06, 0.5, math.pi / 2])
def test_a_hard_speaker_costs_more_the_nearer_it_is(hard_margin):
    compute_loss = AngularMarginLoss(
        scale=3.0, n_hard_speakers=1, hard_margin=hard_margin
    )
    angles = torch.linspace(0.001, math.pi - 0.01, 2000)
    cosines = torch.stack([torch.zeros_like(angles), angles.cos()], 1)
    own = torch.zeros(1, dtype=torch.int64)
    losses = torch.stack([compute_loss(row[None], own) for row in cosines])
    assert losses.diff().max() <= 1e-6 and losses[0] > losses[-1]
    assert losses.diff().abs().max() < 0.01  # no jump where angle = margin


@pytest.mark.parametrize("cosine", [1.0, -1.0])
def test_gradient_at_a_hard_speaker_is_finite_at_the_ends(cosine):
    cosines = torch.tensor([[0.9, cosine], [cosine, 0.9]], requires_grad=True)
    compute_loss = AngularMarginLoss(n_hard_speakers=1)
    compute_loss(cosines, torch.tensor([0, 1])).backward()
    others = cosines.grad[[0, 1], [1, 0]]
    assert torch.isfinite(cosines.grad).all()
    assert (others > 0).all() if cosine > 0 else (others >= 0).all()


def test_hard_margin_stays_when_the_margin_is_set(cosines, labels):
    compute_loss = AngularMarginLoss(
        n_hard_speakers=2, hard_margin=0.3, margin=0.1
    )
    compute_loss.set_margin(0.4)
    wanted = AngularMarginLoss(n_hard_speakers=2, hard_margin=0.3, margin=0.4)
    assert torch.equal(compute_loss(cosines, labels), wanted(cosines, labels))


def test_state_holds_the_margin_alone_as_in_older_checkpoints():
    assert list(AngularMarginLoss().state_dict()) == ["margin"]


@pytest.mark.parametrize("n_hard_speakers", [-1, 2.5, "5", None])
def test_no_number_of_hard_speakers_is_refused(n_hard_speakers):
    with pytest.raises(HyperparameterError, match="n_hard_speakers is"):
        AngularMarginLoss(n_hard_speakers=n_hard_speakers)


@pytest.mark.parametrize("hard_margin", [-0.1, 1.6, float("nan")])
def test_hard_margin_out_of_range_is_refused(hard_margin):
    wanted = "hard_margin is .* from 0 to pi/2 radians"
    with pytest.raises(HyperparameterError, match=wanted):
        AngularMarginLoss(hard_margin=hard_margin)
