import pytest
import torch

from speechbrain_moe.inference.cost import count_cost


def n_params(module):
    return sum(weight.numel() for weight in module.parameters())


@pytest.mark.parametrize("top_k", [1, 2, 3])
def test_active_parameters_are_the_gate_and_the_chosen_experts(
    tiny_model, top_k
):
    model = tiny_model(4, "top_k", top_k)
    cost = count_cost(model)
    expert = n_params(model.experts.experts[0])
    assert cost.active_params == n_params(model.gate) + top_k * expert
    assert cost.params == n_params(model) == n_params(model.gate) + 4 * expert


@pytest.mark.parametrize("selection", ["soft", "uniform"])
def test_all_parameters_are_active_where_all_experts_run(tiny_model, selection):
    cost = count_cost(tiny_model(3, selection))
    assert cost.active_params == cost.params


def test_work_grows_by_one_expert_for_each_chosen_one(tiny_model):
    macs = [
        count_cost(tiny_model(4, "top_k", top_k)).active_macs
        for top_k in (1, 2, 3)
    ]
    expert = count_cost(tiny_model(1, "uniform")).active_macs
    assert macs[1] - macs[0] == macs[2] - macs[1] == expert
    gate = macs[0] - expert
    assert 0 < gate < expert


def test_work_grows_with_the_frames(tiny_model):
    model = tiny_model()
    short, long = (count_cost(model, n).active_macs for n in (100, 200))
    assert long == pytest.approx(2 * short, rel=0.02)


def test_one_convolution_by_hand():
    model = torch.nn.Conv1d(20, 5, kernel_size=3, bias=True)
    cost = count_cost(model, n_frames=20, n_mels=12)
    assert cost == (305, 305, 20 * 3 * 5 * 10)


@pytest.mark.parametrize("mode", [True, False])
def test_counting_leaves_the_model_as_it_was(tiny_model, mode):
    model = tiny_model().train(mode)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    count_cost(model)
    after = model.state_dict()
    assert model.training == mode
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert not any(part._forward_hooks for part in model.modules())
