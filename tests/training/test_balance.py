import pytest
import torch
from tiny_brain import tiny_batch, tiny_brain

from speechbrain_moe.checkpoints import WholeCheckpointer
from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.lobes.selection import select_experts
from speechbrain_moe.training.balance import LoadWindow, move_bias


def count(window, experts, sources=None):
    """Update with utterances of one expert each."""
    ids = torch.tensor(experts).unsqueeze(1)
    sources = range(len(ids)) if sources is None else sources
    return window.update(ids, torch.ones(len(ids), 1), list(sources)).tolist()


def test_load_is_the_mean_of_all_until_the_window_is_full():
    window = LoadWindow(n_experts=2, window=6)
    assert count(window, [0, 0]) == [1.0, 0.0]
    assert count(window, [1, 1]) == [0.5, 0.5]
    assert count(window, [1, 1]) == pytest.approx([1 / 3, 2 / 3])


def test_full_window_forgets_by_one_window_th_an_utterance():
    window = LoadWindow(n_experts=2, window=4)
    count(window, [0, 0, 0, 0])
    assert count(window, [1]) == [0.75, 0.25]
    assert count(window, [1, 1]) == pytest.approx([0.375, 0.625])
    for _ in range(40):
        load = count(window, [1])
    assert load == pytest.approx([0, 1], abs=1e-4)


def test_window_that_fills_midway_counts_no_more_than_its_size():
    window = LoadWindow(n_experts=2, window=4)
    count(window, [0, 0, 0])
    assert count(window, [1, 1, 1]) == [0.25, 0.75]


def test_batch_larger_than_the_window_is_the_load():
    window = LoadWindow(n_experts=2, window=3)
    count(window, [1, 1])
    assert count(window, [0, 0, 0, 0, 1]) == pytest.approx([0.8, 0.2])


def test_load_starts_even():
    assert LoadWindow(4).load.tolist() == [0.25] * 4


def test_copies_of_an_utterance_count_as_one_utterance():
    one, other = LoadWindow(2, window=8), LoadWindow(2, window=8)
    count(one, [0, 1])
    count(other, [0, 0, 0, 1], sources=["a", "a", "a", "b"])
    assert torch.equal(one.load, other.load)
    assert one.n_seen.item() == other.n_seen.item() == 2


def test_copies_that_went_apart_share_their_utterance():
    window = LoadWindow(2, window=8)
    assert count(window, [0, 1, 1], sources=["a", "a", "b"]) == [0.25, 0.75]


@pytest.mark.parametrize("top_k", [1, 2, 3, 4])
def test_load_sums_to_one_for_any_k(top_k):
    window = LoadWindow(4, window=50)
    for _ in range(9):
        chosen = select_experts(torch.randn(16, 4).softmax(1), "top_k", top_k)
        load = window.update(*chosen, list(range(16)))
    assert load.sum().item() == pytest.approx(1, abs=1e-6)


def test_choices_count_alike_while_there_is_a_choice():
    window, ids = LoadWindow(3), torch.tensor([[0, 1], [0, 2]])
    weights = torch.tensor([[0.9, 0.1], [0.8, 0.2]])
    assert window.update(ids, weights, ["a", "b"]).tolist() == [0.5, 0.25, 0.25]


def test_weights_count_where_every_expert_is_chosen():
    window, ids = LoadWindow(2), torch.tensor([[0, 1], [1, 0]])
    weights = torch.tensor([[0.9, 0.1], [0.3, 0.7]])
    load = window.update(ids, weights, ["a", "b"])
    assert load.tolist() == pytest.approx([0.8, 0.2])


def test_returned_load_is_a_copy_without_gradient():
    window = LoadWindow(2)
    weights = torch.tensor([[0.9, 0.1]], requires_grad=True)
    load = window.update(torch.tensor([[0, 1]]), weights, ["a"])
    kept = load.clone()
    count(window, [1, 1, 1])
    assert not load.requires_grad and torch.equal(load, kept)


def test_a_resumed_window_goes_on_as_if_it_had_not_stopped(tmp_path):
    window, resumed = (LoadWindow(2, window=6) for _ in range(2))
    count(window, [0, 0, 1])
    WholeCheckpointer(tmp_path, {"load_window": window}).save_checkpoint()
    WholeCheckpointer(tmp_path, {"load_window": resumed}).recover_if_possible()
    fresh = count(LoadWindow(2, window=6), [1, 1])
    assert count(resumed, [1, 1]) == count(window, [1, 1]) != fresh


class MovedWindow(LoadWindow):
    """As on its way to a GPU: the first move makes new buffers."""

    moved = False

    def to(self, device):
        if not self.moved:
            self._buffers = {k: b.clone() for k, b in self._buffers.items()}
        self.moved = True
        return self


def test_a_first_step_that_is_not_finite_leaves_the_window_on_any_device():
    window = MovedWindow(4, window=200)
    settings = {"selection": "soft"}  # a NaN of the gate is in the load
    guard = {"skip_nonfinite_grads": True}
    brain = tiny_brain(run_opts=guard, settings=settings, load_window=window)
    brain.init_optimizers()
    bad = tiny_batch()
    bad.feats[:] = float("nan")
    brain.fit_batch(bad)
    assert window.moved and window.n_seen == 0
    assert window.load.tolist() == [0.25] * 4
    assert brain.fit_batch(tiny_batch()).isfinite()


@pytest.mark.parametrize("window", [0, -1, 2.0, None, "9", True])
def test_wrong_window_is_refused_by_key(window):
    with pytest.raises(HyperparameterError, match="balance_window is .*1 or"):
        LoadWindow(4, window)


def test_bias_rises_where_load_lacks_and_rests_where_it_is_even():
    bias = torch.tensor([0.5, 0.0, 0.0, 0.0])
    move_bias(bias, torch.tensor([0.25, 0.15, 0.2, 0.4]), rate=0.01)
    assert bias.tolist() == pytest.approx([0.5, 0.01, 0.01, -0.01])


@pytest.mark.parametrize("top_k", [1, 2])
def test_bias_evens_a_skewed_gate(top_k):
    """Two experts are far more probable; only the choice is balanced."""
    skew, bias = torch.tensor([2.0, 1.0, 0.0, 0.0]), torch.zeros(4)
    window, loads = LoadWindow(4, window=500), []
    for _ in range(400):
        gate_probs = (skew + torch.randn(32, 4)).softmax(1)
        chosen = select_experts(gate_probs, "top_k", top_k, bias)
        load = window.update(*chosen, list(range(32)))
        move_bias(bias, load, rate=0.01)
        loads.append(load.max().item())
    assert loads[0] > 1.7 / 4 and loads[-1] < 1.3 / 4
    assert bias[0] < bias[1] < min(bias[2], bias[3])
