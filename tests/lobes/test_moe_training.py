import pytest
import torch
from moe_probes import close_gate, count_calls, gradient_norm, run, train_step


def test_dense_training_calls_every_expert_once(tiny_model, utterances):
    model = tiny_model().train()
    calls = count_calls(model.experts)
    run(model, utterances(8))
    assert calls == [[8]] * 4


@pytest.mark.parametrize("top_k", [1, 2])
def test_idle_experts_have_no_weight_in_the_training_embedding(
    tiny_model, utterances, top_k
):
    model, feats = tiny_model(4, "top_k", top_k).train(), utterances(8)
    close_gate(model, expert=1)
    with torch.no_grad():
        before = model(feats)
        model.experts.experts[1].fc.conv.weight.normal_()
        after = model(feats)
    assert torch.equal(before, after)


@pytest.mark.parametrize(
    "selection, top_k",
    [("soft", 1), ("top_k", 1), ("top_k", 2), ("top_k", 3), ("top_k", 4)],
)
@pytest.mark.parametrize("gate_input", ["raw", "normalised"])
def test_task_loss_reaches_the_whole_gate(
    tiny_model, utterances, selection, top_k, gate_input
):
    model = tiny_model(4, selection, top_k, gate_input=gate_input)
    train_step(model, utterances(20))
    norms = {n: p.grad.norm().item() for n, p in model.gate.named_parameters()}
    assert min(norms.values()) > 1e-6, norms


@pytest.mark.parametrize("top_k", [1, 2])
def test_unused_expert_gets_no_task_gradient_and_used_ones_do(
    tiny_model, utterances, top_k
):
    model = tiny_model(4, "top_k", top_k)
    close_gate(model, expert=3)
    train_step(model, utterances(20))
    norms = [gradient_norm(expert) for expert in model.experts.experts]
    assert norms[3] == 0 and min(norms[:3]) > 1e-3


def test_every_parameter_takes_part_in_a_training_step(tiny_model, utterances):
    """DDP hangs, or needs a search, where a parameter gets no gradient."""
    model = tiny_model(4, "top_k", 1)
    train_step(model, utterances(20))
    assert [n for n, p in model.named_parameters() if p.grad is None] == []
