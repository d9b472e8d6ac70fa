import pytest
import torch
from moe_probes import (
    close_gate,
    count_calls,
    gradient_norm,
    pad,
    run,
    train_step,
)

from speechbrain_moe.errors import HyperparameterError

RANDOM = {"gate_noise": {"gate_noise": 1.0}, "dropout": {"expert_dropout": 0.5}}


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


def choices(model, feats):
    return run(model, feats)[1].expert_ids


@pytest.mark.parametrize("settings", RANDOM.values(), ids=RANDOM)
@pytest.mark.parametrize("top_k", [1, 2])
def test_noise_and_dropout_change_choices_in_training_alone(
    tiny_model, utterances, settings, top_k
):
    model, feats = tiny_model(top_k=top_k, **settings), utterances(32)
    plain, _ = run(tiny_model(top_k=top_k), feats)
    first, second = (choices(model.train(), feats) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(choices(model.eval(), feats), choices(model, feats))
    fresh = tiny_model(top_k=top_k, **settings)
    assert torch.equal(run(fresh, feats)[0], plain)


@pytest.mark.parametrize("settings", RANDOM.values(), ids=RANDOM)
def test_noise_and_dropout_do_not_enter_what_the_gate_says(
    tiny_model, utterances, settings
):
    """Balance and z-loss see the gate itself."""
    model, feats = tiny_model(**settings).train(), utterances(8)
    _, routing = run(model, feats)
    _, plain = run(tiny_model().train(), feats)
    assert torch.equal(routing.gate_logits, plain.gate_logits)
    assert torch.equal(routing.gate_probs, plain.gate_probs)


def test_training_without_noise_and_dropout_repeats(tiny_model, utterances):
    model, feats = tiny_model().train(), utterances(16)
    assert torch.equal(choices(model, feats), choices(model, feats))


def test_noise_has_the_deviation_asked_for(tiny_model, utterances):
    """A logit 1 ahead stays ahead by the normal cdf of 1 / sqrt(2)."""
    model = tiny_model(2, gate_noise=1.0).train()
    torch.nn.init.zeros_(model.gate.output.weight)
    with torch.no_grad():
        model.gate.output.bias.copy_(torch.tensor([1.0, 0.0]))
    feats = utterances(1, 20).expand(400, -1, -1)
    share = (choices(model, feats) == 0).float().mean().item()
    assert share == pytest.approx(0.760, abs=0.06)


@pytest.mark.parametrize("execution", ["dense", "sparse"])
def test_expert_dropout_sends_utterances_past_a_collapsed_gate(
    tiny_model, utterances, execution
):
    model = tiny_model(expert_dropout=0.5, execution=execution).train()
    with torch.no_grad():
        model.gate.output.bias[1] += 30
    load = choices(model, utterances(64)).flatten().bincount(minlength=4) / 64
    assert 0.3 < load[1] < 0.75 and load.min() > 0
    model.expert_dropout = 0.0
    assert choices(model, utterances(64)).eq(1).all()


@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_expert_dropout_leaves_top_k_experts_with_weights(
    tiny_model, utterances, top_k
):
    model = tiny_model(top_k=top_k, expert_dropout=0.95).train()
    _, routing = run(model, utterances(32))
    assert routing.expert_weights.min() > 0
    assert torch.allclose(routing.expert_weights.sum(1), torch.ones(32))


def test_bias_and_expert_dropout_together_stay_finite(tiny_model, utterances):
    """A bias that overrides the gate must not choose a dropped expert."""
    model = tiny_model(expert_dropout=0.5).train()
    model.expert_bias[0] = 9.0
    embedding, routing = run(model, utterances(32))
    assert embedding.isfinite().all()
    assert 0 < routing.expert_ids.eq(0).float().mean() < 1


def test_uniform_weights_stay_even_under_gate_noise(tiny_model, utterances):
    model = tiny_model(selection="uniform", gate_noise=1.0).train()
    _, routing = run(model, utterances(4))
    assert torch.equal(routing.expert_weights, torch.full((4, 4), 0.25))


@pytest.mark.parametrize("execution", ["dense", "sparse"])
def test_always_on_expert_trains_on_every_utterance(
    tiny_model, utterances, execution
):
    model = tiny_model(
        execution=execution, always_on_weight=0.3, bank={"always_on": True}
    )
    calls = count_calls(model.experts)
    train_step(model, utterances(20))
    assert calls[4] == [20]
    assert gradient_norm(model.experts.experts[4]) > 1e-3
    assert gradient_norm(model.gate) > 1e-6


def test_padding_enters_no_choice_and_no_probability_in_training(
    tiny_model, utterances
):
    """What the balance loss counts: utterances, never frames of padding."""
    model, feats = tiny_model(top_k=2).train(), utterances(8)
    _, plain = run(model, feats)
    _, padded = run(model, pad(feats, 60, 50.0), torch.full((8,), 100 / 160))
    assert torch.allclose(padded.gate_probs, plain.gate_probs, atol=1e-4)
    assert torch.equal(padded.expert_ids, plain.expert_ids)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"execution": "masked"}, "execution is 'masked': choose dense or"),
        ({"gate_noise": -0.1}, "gate_noise is -0.1: choose 0 or more"),
        ({"gate_noise": float("nan")}, "gate_noise is nan"),
        ({"expert_dropout": 1.0}, "expert_dropout is 1.0"),
        ({"always_on_weight": 0.2}, "always_on_weight is 0.2 and .* False"),
        ({"bank": {"always_on": True}}, "always_on_weight is 0.0 and .* True"),
        (
            {"always_on_weight": 1.0, "bank": {"always_on": True}},
            "always_on_weight is 1.0: choose a number from 0 to below 1",
        ),
    ],
)
def test_options_out_of_range_are_refused_by_key(tiny_model, settings, message):
    with pytest.raises(HyperparameterError, match=message):
        tiny_model(**settings)
