"""Sparse training: only chosen experts run, and DDP need not search."""

import pytest
import torch
from moe_probes import (
    COMBINATIONS,
    close_gate,
    count_calls,
    gradient_norm,
    pad,
    run,
    task_loss,
    train_step,
    train_with_fixed_norms,
)

from speechbrain_moe.errors import InputError
from speechbrain_moe.lobes.experts import ExpertBank

FULL = torch.full((4,), 100)


@pytest.fixture
def sparse_model(tiny_model):
    def make(top_k=1, n_experts=4, **settings):
        settings = {"execution": "sparse", **settings}
        return tiny_model(n_experts, top_k=top_k, **settings)

    return make


@pytest.fixture
def bank(tiny_expert):
    return ExpertBank(4, emb_dim=32, expert=tiny_expert).train()


@pytest.mark.parametrize(
    "selection, top_k", [("soft", 1), ("top_k", 1), ("top_k", 2)]
)
@pytest.mark.parametrize(
    "bank", [{}, {"n_shared_blocks": 3}, {"always_on": True}]
)
def test_sparse_training_gives_the_embedding_of_dense(
    tiny_model, utterances, selection, top_k, bank
):
    """Norms fixed: a gathered batch has other statistics than a whole one."""
    share, found = 0.3 if "always_on" in bank else 0.0, {}
    for execution in ("dense", "sparse"):
        model = tiny_model(
            selection=selection,
            top_k=top_k,
            bank=bank,
            always_on_weight=share,
        )
        model.execution = execution
        found[execution], _ = run(train_with_fixed_norms(model), utterances(9))
    assert torch.allclose(found["dense"], found["sparse"], atol=1e-5)


@pytest.mark.parametrize("top_k", [1, 2])
def test_each_expert_runs_once_on_those_that_chose_it(
    sparse_model, utterances, top_k
):
    """With top_k 1 one rival more an utterance; a lone row gets a guest."""
    model = sparse_model(top_k).train()
    calls = count_calls(model.experts)
    run(model, utterances(16))
    assert max(map(len, calls)) == 1
    n_rows = sum(map(sum, calls))
    n_guests = sum(seen == [2] for seen in calls)
    assert 32 <= n_rows <= 32 + n_guests


def test_lone_utterance_of_an_expert_gets_a_batch_of_two(bank, utterances):
    calls = count_calls(bank)
    bank(utterances(4), FULL, torch.tensor([[0], [0], [2], [0]]))
    assert calls == [[3], [], [2], []]


def test_lone_utterance_needs_no_guest_at_inference(bank, utterances):
    calls = count_calls(bank.eval())
    bank(utterances(4), FULL, torch.tensor([[0], [0], [2], [0]]))
    assert calls == [[3], [], [1], []]


def test_last_utterance_takes_the_first_one_as_its_guest(bank, utterances):
    feats = utterances(4)
    both = bank.run_all(feats[[3, 0]], FULL[:2])[0, 2]
    found = bank(feats, FULL, torch.tensor([[0], [0], [0], [2]]))[3, 0]
    assert torch.allclose(found, both, atol=1e-5)


def test_of_a_batch_of_two_each_gets_its_own_embedding(bank, utterances):
    feats = utterances(2)
    both = bank.run_all(feats[[1, 0]], FULL[:2])[0, 2]
    found = bank(feats, FULL[:2], torch.tensor([[0], [2]]))[1, 0]
    assert torch.allclose(found, both, atol=1e-5)


def test_guest_keeps_the_output_of_its_own_expert(bank, utterances):
    """Row 0 stands in for expert 1; what it gets there is thrown away."""
    feats, chosen = utterances(4), torch.tensor([[0], [0], [0], [1]])
    raw = bank(feats, FULL, chosen)
    alone = bank(feats[:3], FULL[:3], chosen[:3])
    assert torch.allclose(raw[:3], alone, atol=1e-6)
    raw[:3].sum().backward()
    assert gradient_norm(bank.experts[0]) > 0
    assert gradient_norm(bank.experts[1]) == 0


@pytest.mark.parametrize("execution", ["dense", "sparse"])
@pytest.mark.parametrize("selection", ["top_k", "uniform"])
def test_training_batch_of_one_utterance_is_refused(
    tiny_model, utterances, execution, selection
):
    model = tiny_model(selection=selection, execution=execution).train()
    with pytest.raises(InputError, match="one utterance.*larger batch_size"):
        model(utterances(1))


def test_bank_refuses_a_training_batch_of_one_too(bank, utterances):
    with pytest.raises(InputError, match="one utterance"):
        bank(utterances(1), FULL[:1], torch.tensor([[0]]))


@pytest.mark.parametrize("top_k", [1, 2])
def test_idle_expert_is_not_run_and_its_gradient_is_zero(
    sparse_model, utterances, top_k
):
    model = sparse_model(top_k)
    close_gate(model, expert=3)
    calls = count_calls(model.experts)
    train_step(model, utterances(20))
    gradients = [p.grad for p in model.experts.experts[3].parameters()]
    assert calls[3] == [] and all(len(seen) == 1 for seen in calls[:3])
    assert not any(gradient.any() for gradient in gradients)


@pytest.mark.parametrize("settings", COMBINATIONS.values(), ids=COMBINATIONS)
def test_every_parameter_has_a_gradient_with_an_idle_expert(
    tiny_model, utterances, settings
):
    model = tiny_model(**settings)
    close_gate(model, expert=0)  # which holds what is shared
    train_step(model, utterances(20))
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    "selection, top_k", [("soft", 1), ("top_k", 1), ("top_k", 2), ("top_k", 4)]
)
def test_task_loss_reaches_the_whole_gate(
    sparse_model, utterances, selection, top_k
):
    model = sparse_model(top_k, selection=selection)
    train_step(model, utterances(20))
    norms = {n: p.grad.norm().item() for n, p in model.gate.named_parameters()}
    assert min(norms.values()) > 1e-6, norms


def test_rival_learns_nothing_while_the_gate_compares(sparse_model, utterances):
    """Two experts: where all choose one, the other is everybody's rival."""
    model = sparse_model(n_experts=2)
    with torch.no_grad():
        model.gate.output.bias.copy_(torch.tensor([4.0, -4.0]))
    calls = count_calls(model.experts)
    train_step(model, utterances(20))
    first, rival = model.experts.experts
    assert calls == [[20], [20]]
    assert gradient_norm(first) > 1e-3 and gradient_norm(rival) == 0
    assert gradient_norm(model.gate) > 0


def test_rival_changes_no_embedding(sparse_model, utterances):
    model = train_with_fixed_norms(sparse_model(n_experts=2))
    with torch.no_grad():
        model.gate.output.bias.copy_(torch.tensor([20.0, -20.0]))
        before, _ = run(model, utterances(4))
        model.experts.experts[1].fc.conv.weight.normal_()
    after, routing = run(model, utterances(4))
    assert torch.equal(before, after)
    assert routing.expert_ids.tolist() == [[0]] * 4  # the rival is not told


@pytest.mark.parametrize("n_experts", [2, 4])
def test_expert_dropout_leaves_a_rival(sparse_model, utterances, n_experts):
    model = sparse_model(n_experts=n_experts, expert_dropout=0.95)
    loss = task_loss(model.train()(utterances(20)))
    loss.backward()
    assert loss.isfinite() and 1e-6 < gradient_norm(model.gate) < 1e6


def test_one_expert_has_no_rival(sparse_model, utterances):
    model = sparse_model(n_experts=1)
    calls = count_calls(model.experts)
    train_step(model, utterances(6))
    assert calls == [[6]]


@pytest.mark.parametrize("execution", ["dense", "sparse"])
@pytest.mark.parametrize("top_k", [1, 2])
def test_padded_training_under_bf16_stays_finite_and_float32(
    tiny_model, utterances, execution, top_k
):
    model = tiny_model(top_k=top_k, execution=execution).train()
    feats, lengths = pad(utterances(8), 20), torch.linspace(0.5, 1, 8)
    with torch.autocast("cpu", torch.bfloat16):
        embedding = model(feats, lengths)
    task_loss(embedding).backward()
    assert embedding.dtype == torch.float32
    assert all(p.grad.isfinite().all() for p in model.parameters())
