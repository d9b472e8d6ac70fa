import math

import pytest
import torch
from tiny_brain import loss_of, tiny_batch, tiny_brain

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.lobes.aggregate import Routing
from speechbrain_moe.lobes.losses import balance_loss, z_loss
from speechbrain_moe.training.schedules import temperature_of

GUARD = {"skip_nonfinite_grads": True}


def gate_gradient(brain, batch):
    """Gradient of the total loss at the gate's last layer."""
    brain.modules.zero_grad()
    loss_of(brain, batch).backward()
    return brain.encoder.gate.output.weight.grad.clone()


def fixed(batch, n_copies=1):
    """An embedding and a routing that no network made."""
    n = n_copies * len(batch.id)
    embedding = torch.randn(n, 1, 16, requires_grad=True)
    logits = torch.randn(n, 4)
    probs = logits.softmax(1)
    ids = probs.argmax(1, keepdim=True)
    ones = torch.ones(n)
    return embedding, Routing(logits, probs, ids, ones.unsqueeze(1), ones, ones)


def rows(batch, kept):
    """Some utterances of a batch."""
    return type(batch)(
        id=[batch.id[i] for i in kept],
        **{k: v[kept] for k, v in vars(batch).items() if k != "id"},
    )


@pytest.mark.parametrize("teacher", [False, True])
def test_unlabelled_utterances_give_no_speaker_loss(teacher):
    brain, batch = tiny_brain(teacher), tiny_batch(6)
    embedding, routing = fixed(batch)
    batch.spk_label[[1, 4]] = -1
    batch.has_teacher[:] = False
    kept = [0, 2, 3, 5]
    found = brain.training_loss(embedding, routing, batch)
    labelled = Routing(*(values[kept] for values in routing))
    wanted = brain.training_loss(embedding[kept], labelled, rows(batch, kept))
    assert torch.allclose(found, wanted)
    found.backward()
    assert embedding.grad.norm(dim=2).flatten().gt(0).tolist() == [
        i in kept for i in range(6)
    ]


def test_a_batch_without_labels_is_zero_and_every_weight_has_a_gradient():
    """DDP waits for each one."""
    brain, batch = tiny_brain(), tiny_batch()
    batch.spk_label[:] = -1
    loss = loss_of(brain, batch)
    loss.backward()
    gradients = [weight.grad for weight in brain.modules.parameters()]
    assert loss.item() == 0 and not any(g.any() for g in gradients)


def test_unlabelled_utterances_learn_from_the_teacher():
    brain, batch = tiny_brain(teacher=True), tiny_batch()
    batch.spk_label[:] = -1
    loss = loss_of(brain, batch)
    loss.backward()
    assert loss > 0.1
    assert brain.encoder.gate.output.weight.grad.norm() > 0
    assert brain.modules.classifier.weight.grad.norm() == 0


def test_copies_that_augmentation_appended_count_once():
    brain, batch = tiny_brain(), tiny_batch(3)
    embedding, routing = fixed(batch, n_copies=2)
    brain.training_loss(embedding, routing, batch)
    window = brain.hparams.load_window
    wanted = torch.zeros(4).index_add_(
        0, routing.expert_ids.flatten(), torch.full((6,), 1 / 6)
    )
    assert window.n_seen.item() == 3
    assert torch.allclose(window.load, wanted)


@pytest.mark.parametrize("teacher", [False, True])
def test_copies_keep_the_label_and_the_teacher_of_their_original(teacher):
    brain, batch = tiny_brain(teacher), tiny_batch(3)
    batch.spk_label[1], batch.has_teacher[2] = -1, False
    embedding, routing = fixed(batch, n_copies=2)
    found = brain.training_loss(embedding, routing, batch)
    both = rows(batch, [0, 1, 2, 0, 1, 2])
    wanted = brain.training_loss(embedding, routing, both)
    assert torch.allclose(found, wanted)


@pytest.mark.parametrize(
    "name, term", [("balance_weight", "balance"), ("z_weight", "z")]
)
def test_gate_losses_are_in_the_total_with_their_weight(name, term):
    batch, losses, gradients = tiny_batch(), [], []
    for weight in (0.0, 1.0, 3.0):
        brain = tiny_brain(**{name: weight})
        gradients.append(gate_gradient(brain, batch))
        losses.append(loss_of(brain, batch).item())
    figures = brain.epoch_figures()
    once, thrice = gradients[1] - gradients[0], gradients[2] - gradients[0]
    assert once.norm() > 1e-5
    assert torch.allclose(thrice, 3 * once, atol=1e-6)
    assert losses[1] - losses[0] == pytest.approx(
        figures[f"{term}_loss"], rel=1e-3
    )


def test_the_speaker_loss_is_in_the_total_with_its_weight():
    """Left out of a yaml file from before, it is 1."""
    losses, batch = {}, tiny_batch()
    for weight in (0.0, 1.0, 3.0, None):
        given = {} if weight is None else {"speaker_weight": weight}
        brain = tiny_brain(teacher=True, **given)
        losses[weight] = loss_of(brain, batch).item()
    term = brain.epoch_figures()["speaker_loss"]
    assert term > 0.1 and losses[None] == losses[1.0]
    assert losses[1.0] - losses[0.0] == pytest.approx(term, rel=1e-3)
    assert losses[3.0] - losses[0.0] == pytest.approx(3 * term, rel=1e-3)


def test_gate_losses_are_those_of_window_and_batch():
    brain, batch = tiny_brain(), tiny_batch()
    for seed in (1, 2):
        embedding, routing = fixed(tiny_batch(seed=seed))
        brain.on_train_epoch_start(1)
        brain.training_loss(embedding, routing, batch)
    load = brain.hparams.load_window.load
    found = brain.epoch_figures()
    wanted = balance_loss(routing.gate_probs, load).item()
    assert found["balance_loss"] == pytest.approx(wanted)
    wanted = z_loss(routing.gate_logits).item()
    assert found["z_loss"] == pytest.approx(wanted)


def test_bias_moves_by_its_rate_and_stays_without_one():
    batch = tiny_batch()
    embedding, routing = fixed(batch)
    routing = routing._replace(expert_ids=torch.full((8, 1), 2))
    moved, still = tiny_brain(balance_bias_rate=0.01), tiny_brain()
    for brain in (moved, still):
        brain.training_loss(embedding, routing, batch)
    assert still.encoder.expert_bias.tolist() == [0.0] * 4
    assert moved.encoder.state_dict()["expert_bias"].tolist() == pytest.approx(
        [0.01, 0.01, -0.01, 0.01]
    )


def test_margin_grows_to_its_value_over_the_warm_up():
    brain, margins = tiny_brain(margin=0.3, margin_epochs=[1, 4]), []
    for epoch in range(1, 6):
        brain.on_train_epoch_start(epoch)
        margins.append(brain.hparams.compute_loss.margin.item())
    assert margins == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.3])


def test_margin_waits_for_its_first_epoch():
    brain, margins = tiny_brain(margin=0.4, margin_epochs=[2, 4]), []
    for epoch in range(1, 6):
        brain.on_train_epoch_start(epoch)
        margins.append(brain.hparams.compute_loss.margin.item())
    assert margins == pytest.approx([0.0, 0.0, 0.2, 0.4, 0.4])


def test_margin_is_whole_from_the_first_epoch_without_a_warm_up():
    brain = tiny_brain(margin=0.3, margin_epochs=[0, 0])
    assert brain.hparams.compute_loss.margin.item() == pytest.approx(0.3)


def test_temperature_of_each_epoch_is_in_the_models_state():
    brain, found = tiny_brain(temperature_start=4.0, temperature_end=0.25), []
    for epoch in (1, 2, 3):
        brain.on_train_epoch_start(epoch)
        state = brain.encoder.state_dict()
        found.append(state["gate_temperature"].item())
    assert found == pytest.approx([4.0, 1.0, 0.25])


def test_temperature_of_a_single_epoch_is_the_start():
    assert temperature_of(1, 1, start=2.0, end=1.0) == 2.0


def test_figures_are_means_of_the_epoch_and_start_anew():
    brain, batches = tiny_brain(), [tiny_batch(seed=s) for s in (1, 2)]
    losses = [loss_of(brain, batch).item() for batch in batches]
    figures = brain.epoch_figures()
    assert figures["speaker_loss"] == pytest.approx(sum(losses) / 2)
    assert brain.epoch_log.sums["n_rows"].item() == 16
    brain.on_train_epoch_start(2)
    assert brain.epoch_figures() == {}


@pytest.mark.parametrize("execution", ["dense", "sparse"])
def test_steps_lower_the_loss(execution):
    settings = {"execution": execution}
    brain, batch = tiny_brain(settings=settings), tiny_batch(10)
    brain.init_optimizers()
    losses = [brain.fit_batch(batch).item() for _ in range(15)]
    assert losses[-1] < 0.7 * losses[0]


def test_loss_is_float32_under_bf16():
    brain, batch = tiny_brain(teacher=True, balance_weight=1.0), tiny_batch()
    with torch.autocast("cpu", torch.bfloat16):
        loss = loss_of(brain, batch)
    assert loss.dtype == torch.float32 and loss.isfinite()


def test_sparse_experts_are_not_given_synchronised_norms(monkeypatch):
    """Those wait for all processes; here a process may not run an expert."""
    name = "speechbrain_moe.training.brain.DistributedDataParallel"
    monkeypatch.setattr(name, lambda module, **kwargs: module)
    brain = tiny_brain(settings={"execution": "sparse"})
    brain.distributed_launch, brain.device = True, "cuda:0"
    brain._wrap_distributed()
    kinds = {type(part).__name__ for part in brain.modules.modules()}
    assert "BatchNorm1d" in kinds and "SyncBatchNorm" not in kinds


def state_of(brain):
    """All that a step may change, as one vector."""
    state = [*brain.modules.parameters(), *brain._statistics()]
    return torch.cat([value.detach().flatten().double() for value in state])


@pytest.mark.parametrize("where", ["input", "loss"])
def test_a_step_that_is_not_finite_changes_nothing_and_is_counted(where):
    brain, batch = tiny_brain(run_opts=GUARD), tiny_batch()
    brain.init_optimizers()
    brain.fit_batch(batch)
    before = state_of(brain)
    bad = tiny_batch(seed=1)
    if where == "input":
        bad.feats[0, 3, 5] = float("nan")
    else:
        brain.hparams.balance_weight = float("inf")
    assert not brain.fit_batch(bad).isfinite()
    assert torch.equal(state_of(brain), before)
    figures = brain.epoch_figures()
    assert figures["n_skipped_steps"] == 1
    assert all(math.isfinite(value) for value in figures.values())
    brain.hparams.balance_weight = 0.0
    assert brain.fit_batch(batch).isfinite()
    assert not torch.equal(state_of(brain), before)


def test_many_bad_steps_in_a_row_end_the_training_and_say_why():
    brain = tiny_brain(run_opts=GUARD, max_skipped_steps=3)
    brain.init_optimizers()
    good, bad = tiny_batch(), tiny_batch(seed=1)
    bad.feats[:] = float("nan")
    for batch in (bad, bad, good, bad, bad):
        brain.fit_batch(batch)
    with pytest.raises(HyperparameterError, match="3 steps in a row .* lr"):
        brain.fit_batch(bad)


def test_with_the_guard_off_speechbrains_own_ends_the_training():
    brain = tiny_brain(run_opts={"skip_nonfinite_grads": False})
    brain.nonfinite_count = 0  # as fit begins an epoch
    brain.init_optimizers()
    bad = tiny_batch(seed=1)
    bad.feats[:] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        for _ in range(brain.nonfinite_patience + 2):
            brain.fit_batch(bad)
