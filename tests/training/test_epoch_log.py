import math
import sys

import pytest
import torch

from speechbrain_moe.errors import MissingPackageError
from speechbrain_moe.lobes.aggregate import Routing
from speechbrain_moe.training.epoch_log import (
    EpochCurves,
    EpochLog,
    normalised_entropy,
)


def routing(probs, expert_ids=None, expert_weights=None):
    """Of a gate that said probs; top-1 unless the choice is given."""
    probs = torch.as_tensor(probs)
    if expert_ids is None:
        expert_ids = probs.argmax(1, keepdim=True)
    expert_ids = torch.as_tensor(expert_ids)
    if expert_weights is None:
        expert_weights = torch.ones(expert_ids.shape)
    ones = torch.ones(len(probs))
    weights = torch.as_tensor(expert_weights)
    return Routing(probs.log(), probs, expert_ids, weights, ones, ones)


def figures(*routings):
    log = EpochLog(routings[0].gate_probs.shape[1])
    for each in routings:
        log.add(each, {})
    return log.figures()


def loads(found):
    names = [f"load_{i}" for i in range(4) if f"load_{i}" in found]
    return [round(found[name], 3) for name in names]


def entropy(*probs):
    total = -sum(p * math.log(p) for p in probs if p)
    return total / math.log(len(probs))


SURE = torch.eye(4) * 0.96 + 0.01  # each expert by turns, at 0.97


def test_collapse_is_low_in_both_entropies():
    found = figures(routing(SURE[[0, 0, 0, 0]]))
    assert found["load_entropy"] == 0
    assert found["route_entropy"] == pytest.approx(
        entropy(0.97, 0.01, 0.01, 0.01)
    )
    assert found["balance_over_ideal"] == pytest.approx(4 * 0.97)
    assert found["n_dead_experts"] == 3


def test_a_gate_that_does_not_decide_is_high_in_both():
    even = torch.full((4, 4), 0.25)
    found = figures(routing(even, [[0], [1], [2], [3]]))
    assert found["load_entropy"] == pytest.approx(1)
    assert found["route_entropy"] == pytest.approx(1)
    assert found["gate_margin"] == 0 and found["n_dead_experts"] == 0


def test_what_is_wanted_is_high_in_load_and_low_in_routes():
    found = figures(routing(SURE))
    assert found["load_entropy"] == pytest.approx(1)
    assert found["route_entropy"] < 0.15
    assert found["gate_margin"] == pytest.approx(0.96)


def test_balance_loss_is_ideal_for_both_and_the_entropies_tell_them_apart():
    """A uniform gate minimises the balance loss as well as a good one."""
    even = torch.full((4, 4), 0.25)
    undecided = figures(routing(even, [[0], [1], [2], [3]]))
    decided = figures(routing(SURE))
    for found in (undecided, decided):
        assert found["balance_over_ideal"] == pytest.approx(1)
        assert found["load_entropy"] == pytest.approx(1)
    assert undecided["route_entropy"] - decided["route_entropy"] > 0.8


@pytest.mark.parametrize("n_rows, n_dead", [(99, 0), (101, 1)])
def test_expert_with_less_than_one_in_a_hundred_is_dead(n_rows, n_dead):
    probs = torch.tensor([[0.9, 0.1]]).repeat(n_rows, 1)
    ids = torch.zeros(n_rows, 1, dtype=torch.int64)
    ids[0] = 1
    assert figures(routing(probs, ids))["n_dead_experts"] == n_dead


def test_batches_count_by_their_utterances():
    found = figures(routing(SURE[[0, 0, 0]]), routing(SURE[[1]]))
    assert loads(found) == [0.75, 0.25, 0.0, 0.0]
    assert found["load_entropy"] == pytest.approx(entropy(0.75, 0.25, 0, 0))


def test_hand_worked_margin_and_entropy_of_two_rows():
    found = figures(routing([[0.7, 0.3], [0.4, 0.6]]))
    assert found["gate_margin"] == pytest.approx((0.4 + 0.2) / 2)
    wanted = (entropy(0.7, 0.3) + entropy(0.4, 0.6)) / 2
    assert found["route_entropy"] == pytest.approx(wanted)


def test_load_of_top_two_counts_each_choice_as_half():
    probs = torch.tensor([[0.6, 0.3, 0.1], [0.5, 0.1, 0.4]])
    found = figures(
        routing(probs, [[0, 1], [0, 2]], [[0.67, 0.33], [0.56, 0.44]])
    )
    assert loads(found) == [0.5, 0.25, 0.25]


def test_load_of_a_soft_gate_is_the_probability_given():
    probs = torch.tensor([[0.9, 0.1], [0.5, 0.5]])
    found = figures(routing(probs, [[0, 1], [0, 1]], probs))
    assert loads(found) == [0.7, 0.3]


def test_single_expert_has_no_entropy_and_no_margin():
    found = figures(routing(torch.ones(3, 1)))
    assert loads(found) == [1.0] and found["balance_over_ideal"] == 1
    assert found["load_entropy"] == found["route_entropy"] == 0
    assert found["gate_margin"] == 0


def test_nothing_counted_gives_no_figures():
    assert EpochLog(4).figures() == {}


def test_the_first_batch_changes_no_sums_name_place_or_size():
    """Processes add them up in this order, some before their first batch."""

    def sizes():
        return [(name, value.shape) for name, value in log.sums.items()]

    log = EpochLog(4, losses=["speaker_loss", "z_loss"])
    before = sizes()
    one = torch.tensor(1.0)
    log.add(routing(SURE), {"z_loss": one, "speaker_loss": one})
    assert sizes() == before


def test_certain_probabilities_have_a_finite_entropy_of_zero():
    assert normalised_entropy(torch.eye(3)).tolist() == [0.0, 0.0, 0.0]


def test_an_epoch_cut_in_two_reads_as_one(tmp_path):
    first, second = routing(SURE[[0, 1]]), routing(SURE[[2]])
    whole, before, after = (EpochLog(4, losses=["loss"]) for _ in range(3))
    for log in (whole, before):
        log.add(first, {"loss": torch.tensor(2.0)})
        log.skip()
    before.save(tmp_path / "log")
    after.load(tmp_path / "log", end_of_epoch=False)
    for log in (whole, after):
        log.add(second, {"loss": torch.tensor(4.0)})
    assert after.figures() == whole.figures()
    assert whole.figures()["loss"] == 3.0
    assert whole.figures()["n_skipped_steps"] == 1


def test_a_new_epoch_does_not_add_to_the_last(tmp_path):
    log, new = EpochLog(4), EpochLog(4)
    log.add(routing(SURE), {})
    log.save(tmp_path / "log")
    new.load(tmp_path / "log", end_of_epoch=True)
    log.start()
    assert new.figures() == log.figures() == {}


def test_curves_of_a_training_that_goes_on_are_one(tmp_path):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    for epoch in (1, 2):  # as before and after a crash
        curves = EpochCurves(str(tmp_path))
        curves.log_stats(
            {"epoch": epoch},
            train_stats={"speaker_loss": 3.0 - epoch},
            valid_stats={"dev_eer": 10.0},
        )
        curves.writer.close()
    events = accumulator.EventAccumulator(str(tmp_path)).Reload()
    points = events.Scalars("train/speaker_loss")
    assert [(p.step, p.value) for p in points] == [(1, 2.0), (2, 1.0)]


def test_curves_without_tensorboard_say_how_to_install_it(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingPackageError, match="pip install tensorboard"):
        EpochCurves(str(tmp_path))
