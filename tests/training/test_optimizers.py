import pytest
import torch
from torch import nn

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.optimizers import (
    Muon,
    make_optimizer,
    orthogonalise,
)

LR = 0.01


def network():
    """A kernel of three axes, its bias, and a matrix."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(12, 20, 3), nn.Flatten(), nn.Linear(40, 5))


def draw_gradients(model, scale=1.0):
    """Give every weight a gradient."""
    for weight in model.parameters():
        weight.grad = scale * torch.randn_like(weight)


def steps_of(model, optimizer, scales):
    """What each step changed, by weight."""
    changes = []
    for scale in scales:
        before = [weight.detach().clone() for weight in model.parameters()]
        draw_gradients(model, scale)
        optimizer.step()
        pairs = zip(model.parameters(), before)
        changes.append([new.detach() - old for new, old in pairs])
    return changes


@pytest.mark.parametrize("shape", [(20, 36), (36, 20), (16, 16), (1, 30)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_orthogonalised_matrix_keeps_its_axes_and_evens_its_values(
    shape, scale
):
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    u, values, v = torch.linalg.svd(matrix, full_matrices=False)
    matrix = u @ torch.diag(values.clamp(min=0.3)) @ v
    turned = u.T @ orthogonalise(scale * matrix) @ v.T
    assert ((turned.diagonal() > 0.6) & (turned.diagonal() < 1.3)).all()
    assert turned.fill_diagonal_(0).abs().max() < 1e-3


def test_values_down_to_two_thousandths_of_the_norm_come_near_one():
    values = torch.tensor([1.0, 0.1, 0.01, 0.002, 0.0005])
    found = orthogonalise(torch.diag(values / values.norm())).diagonal()
    assert ((found[:4] > 0.67) & (found[:4] < 1.21)).all()
    assert found[4] < 0.3


def test_kernel_steps_are_of_adamws_size_however_large_the_gradient():
    model = network()
    optimizer = Muon(model.parameters(), lr=LR, weight_decay=0, momentum=0)
    for kernel, *_ in steps_of(model, optimizer, (1e-5, 1.0, 1e5)):
        assert kernel.square().mean().sqrt() == pytest.approx(
            0.2 * LR, rel=0.15
        )


def test_weights_that_are_no_kernels_go_as_by_adamw():
    models = network(), network()
    changes = []
    for name, model in zip(("muon", "adamw"), models):
        optimizer = make_optimizer(model.parameters(), name, LR, 0.1)
        torch.manual_seed(1)
        changes.append(steps_of(model, optimizer, (1.0, 2.0, 0.5)))
    for muon, adamw in zip(*changes):
        assert not torch.allclose(muon[0], adamw[0], atol=1e-4)
        for one, other in zip(muon[1:], adamw[1:]):
            assert torch.equal(one, other)


def test_kernels_decay_by_their_share_alone_without_a_gradient_of_note():
    model = network()
    optimizer = Muon(model.parameters(), lr=LR, weight_decay=0.5)
    before = model[0].weight.detach().clone()
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    assert torch.allclose(model[0].weight, before * (1 - LR * 0.5))


def test_weights_without_a_gradient_stay_and_gradients_are_kept():
    model = network()
    model[0].requires_grad_(False)
    optimizer = Muon(model.parameters(), lr=LR)
    frozen = model[0].weight.clone()
    draw_gradients(model[2])
    optimizer.step()
    assert torch.equal(model[0].weight, frozen)
    model[0].requires_grad_(True)
    draw_gradients(model)
    given = [weight.grad.clone() for weight in model.parameters()]
    optimizer.step()
    for weight, gradient in zip(model.parameters(), given):
        assert torch.equal(weight.grad, gradient)


def test_steps_after_a_checkpoint_are_those_without_it(tmp_path):
    whole, first, second = network(), network(), network()
    optimizers = [Muon(model.parameters(), lr=LR) for model in (whole, first)]
    for model, optimizer in zip((whole, first), optimizers):
        torch.manual_seed(1)
        steps_of(model, optimizer, (1.0, 1.0))
    torch.save(optimizers[1].state_dict(), tmp_path / "optimizer.ckpt")
    second.load_state_dict(first.state_dict())
    resumed = Muon(second.parameters(), lr=1.0)
    resumed.load_state_dict(torch.load(tmp_path / "optimizer.ckpt"))
    for model, optimizer in ((whole, optimizers[0]), (second, resumed)):
        torch.manual_seed(2)
        steps_of(model, optimizer, (1.0, 1.0))
    for one, other in zip(whole.parameters(), second.parameters()):
        assert torch.equal(one, other)


def test_learning_rate_of_a_schedule_scales_kernel_steps():
    model = network()
    optimizer = Muon(model.parameters(), lr=LR, weight_decay=0, momentum=0)
    sizes = []
    for lr in (LR, LR / 10):
        optimizer.param_groups[0]["lr"] = lr
        torch.manual_seed(1)
        ((kernel, *_),) = steps_of(model, optimizer, (1.0,))
        sizes.append(kernel.norm().item())
    assert sizes[1] == pytest.approx(sizes[0] / 10, rel=1e-3)


def test_closure_is_called_with_gradients_and_its_loss_returned():
    model = network()
    optimizer = Muon(model.parameters(), lr=LR)

    def closure():
        optimizer.zero_grad()
        loss = model(torch.ones(2, 12, 10)[..., :4]).square().sum()
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(20)]
    assert losses[-1] < losses[0]


def test_name_of_no_optimizer_is_refused_with_those_there_are():
    with pytest.raises(HyperparameterError, match="adamw, muon"):
        make_optimizer(network().parameters(), "sgd", LR, 0)
