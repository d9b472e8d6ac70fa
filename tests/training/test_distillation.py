import pytest
import torch

from speechbrain_moe.training.distillation import Distillation, pairwise_loss


@pytest.fixture
def batch():
    """Student [6, 1, 8], teacher [6, 5] and a mask with four rows."""
    mask = torch.tensor([True, False, True, True, False, True])
    return torch.randn(6, 1, 8), torch.randn(6, 5), mask


@pytest.fixture
def distillation():
    return Distillation(8, 5, direct_weight=1.0, pairwise_weight=1.0)


def test_rows_that_do_not_count_have_no_effect(distillation, batch):
    student, teacher, mask = batch
    loss = distillation(student, teacher, mask)
    student, teacher = student.clone(), teacher.clone()
    student[~mask], teacher[~mask] = 7.0, 0.0
    assert torch.equal(distillation(student, teacher, mask), loss)
    kept = distillation(student[mask], teacher[mask], mask[mask])
    assert torch.allclose(kept, loss, atol=1e-6)


def test_terms_are_those_of_a_slow_loop(batch):
    student, teacher, mask = batch
    cos = torch.nn.functional.cosine_similarity
    direct = Distillation(8, 5, direct_weight=2.0)
    rows = mask.nonzero().flatten().tolist()
    wanted = [1 - cos(direct.head(unit(student[i])), teacher[i]) for i in rows]
    found = direct(student, teacher, mask)
    assert torch.allclose(found, 2 * torch.stack(wanted).mean(), atol=1e-5)
    pairwise = Distillation(8, 5, direct_weight=0, pairwise_weight=3.0)
    wanted = [
        (cos(student[i], student[j]) - cos(teacher[i], teacher[j], 0)) ** 2
        for i in rows
        for j in rows
        if i != j
    ]
    found = pairwise(student, teacher, mask)
    assert torch.allclose(found, 3 * torch.stack(wanted).mean(), atol=1e-5)


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


def test_a_student_that_turns_the_teacher_has_no_loss():
    """Rotated and led back by the head: direct and pairwise are zero."""
    teacher = unit(torch.randn(7, 6))
    turn = torch.linalg.qr(torch.randn(6, 6)).Q
    distillation = Distillation(6, 6, direct_weight=1.0, pairwise_weight=1.0)
    with torch.no_grad():
        distillation.head.weight.copy_(turn.T)
        distillation.head.bias.zero_()
    student = teacher @ turn.T
    mask = torch.ones(7, dtype=torch.bool)
    assert distillation(student, teacher, mask).item() < 1e-5


@pytest.mark.parametrize("n_rows, direct_weight", [(0, 1.0), (1, 0.0)])
def test_too_few_rows_give_zero_and_gradients_for_all(n_rows, direct_weight):
    distillation = Distillation(8, 5, direct_weight, pairwise_weight=1.0)
    student = torch.randn(4, 1, 8, requires_grad=True)
    mask = torch.arange(4) < n_rows
    loss = distillation(student, torch.zeros(4, 5), mask)
    loss.backward()
    assert loss.item() == 0
    for weight in (student, *distillation.parameters()):
        assert torch.equal(weight.grad, torch.zeros_like(weight))


def test_loss_is_float32_under_autocast(distillation, batch):
    student, teacher, mask = batch
    wanted = distillation(student.bfloat16().float(), teacher, mask)
    with torch.autocast("cpu", torch.bfloat16):
        loss = distillation(student.bfloat16(), teacher, mask)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, wanted)


def test_gradient_brings_student_cosines_to_the_teachers():
    student = torch.randn(8, 4, requires_grad=True)
    teacher = unit(torch.randn(8, 6))
    mask = torch.ones(8, dtype=torch.bool)
    optimiser = torch.optim.Adam([student], lr=0.05)
    losses = []
    for _ in range(60):
        loss = pairwise_loss(unit(student), teacher, mask)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_without_a_teacher_there_are_no_weights():
    assert list(Distillation(8, 0).parameters()) == []
