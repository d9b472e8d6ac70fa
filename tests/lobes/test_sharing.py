"""Stages that all experts share: one set of weights, in expert 0."""

import pytest
import torch
from moe_probes import count_calls, gradient_norm
from safetensors.torch import load_file, save_file
from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.inference.cost import count_cost
from speechbrain_moe.lobes.experts import ExpertBank

STAGES = ("blocks.0.", "blocks.1.", "blocks.2.", "blocks.3.", "mfa.")
every_n = pytest.mark.parametrize("n_shared_blocks", range(6))


@pytest.fixture
def make_bank(tiny_expert):
    def make(n_shared_blocks, n_experts=3, **settings):
        settings = {"emb_dim": 32, "expert": tiny_expert, **settings}
        return ExpertBank(
            n_experts, n_shared_blocks=n_shared_blocks, **settings
        )

    return make


@pytest.fixture
def stock_keys(tiny_expert):
    return set(ECAPA_TDNN(80, lin_neurons=32, **tiny_expert).state_dict())


def own_keys(keys, n_shared_blocks):
    return {k for k in keys if not k.startswith(STAGES[:n_shared_blocks])}


def unshared_copy(bank, make_bank):
    """The same experts, each with the shared stages of its own."""
    whole = make_bank(0)
    shared = bank.experts[0].state_dict()
    for expert, copy in zip(bank.experts, whole.experts):
        copy.load_state_dict({**shared, **expert.state_dict()}, strict=True)
    return whole


@every_n
def test_keys_are_speechbrains_and_shared_ones_stand_once(
    make_bank, stock_keys, n_shared_blocks
):
    bank = make_bank(n_shared_blocks)
    own = own_keys(stock_keys, n_shared_blocks)
    wanted = {f"experts.0.{key}" for key in stock_keys}
    wanted |= {f"experts.{i}.{key}" for i in (1, 2) for key in own}
    state = bank.state_dict()
    assert set(state) == wanted
    assert len({value.data_ptr() for value in state.values()}) == len(state)


def test_all_but_pooling_and_projection_can_be_shared(make_bank):
    expert = make_bank(5).experts[1]
    left = {name.split(".")[0] for name, _ in expert.named_parameters()}
    assert left == {"asp", "asp_bn", "fc"}


@every_n
def test_safetensors_round_trip_gives_the_same_embeddings(
    make_bank, utterances, n_shared_blocks, tmp_path
):
    bank, other = make_bank(n_shared_blocks).eval(), make_bank(n_shared_blocks)
    feats, counts = utterances(2, 40), torch.tensor([40, 30])
    wanted = bank.run_all(feats, counts)
    assert not torch.equal(other.eval().run_all(feats, counts), wanted)
    save_file(bank.state_dict(), tmp_path / "bank.safetensors")
    other.load_state_dict(load_file(tmp_path / "bank.safetensors"))
    assert torch.equal(other.run_all(feats, counts), wanted)


@every_n
@pytest.mark.parametrize("mode", [True, False])
def test_embeddings_are_those_of_experts_with_copies(
    make_bank, utterances, n_shared_blocks, mode
):
    bank = make_bank(n_shared_blocks)
    whole = unshared_copy(bank, make_bank).train(mode)
    feats, counts = utterances(4, 50), torch.full((4,), 50)
    found = bank.train(mode).run_all(feats, counts)
    assert torch.allclose(found, whole.run_all(feats, counts), atol=1e-5)


@every_n
def test_gathered_embeddings_are_those_of_experts_with_copies(
    make_bank, utterances, n_shared_blocks
):
    bank = make_bank(n_shared_blocks).eval()
    whole = unshared_copy(bank, make_bank).eval()
    feats, counts = utterances(4, 50), torch.tensor([50, 20, 50, 44])
    chosen = torch.tensor([[0, 2], [2, 1], [1, 2], [2, 0]])
    found, wanted = bank(feats, counts, chosen), whole(feats, counts, chosen)
    assert torch.allclose(found, wanted, atol=1e-4)


def test_shared_stages_run_once_for_all(make_bank, utterances):
    bank, calls = make_bank(2).eval(), []
    convolution = bank.experts[0].blocks[0].conv.conv
    convolution.register_forward_hook(lambda m, a, out: calls.append(len(out)))
    by_expert = count_calls(bank)
    chosen = torch.tensor([[1, 2], [2, 1], [1, 2]])
    bank(utterances(3, 40), torch.full((3,), 40), chosen)
    assert calls == [3] and by_expert == [[], [3], [3]]


def test_more_sharing_is_less_weight_and_less_work(tiny_model):
    costs = [
        count_cost(
            tiny_model(top_k=2, bank={"n_shared_blocks": n}), n_frames=50
        )
        for n in (0, 1, 4, 5)
    ]
    for less, more in zip(costs[1:], costs[:-1]):
        assert less.params < more.params
        assert less.active_params < more.active_params
        assert less.active_macs < more.active_macs


@every_n
def test_one_expert_alone_is_a_whole_ecapa_whatever_is_shared(
    tiny_model, n_shared_blocks
):
    model = tiny_model(bank={"n_shared_blocks": n_shared_blocks})
    dense = count_cost(tiny_model(1, "uniform"), n_frames=50)
    gate = sum(weight.numel() for weight in model.gate.parameters())
    found = count_cost(model, n_frames=50).active_params
    assert found == gate + dense.active_params


@pytest.mark.parametrize("n_shared_blocks", [2, 5])
@pytest.mark.parametrize("i", range(3))
def test_each_expert_teaches_the_shared_stages_and_itself_alone(
    make_bank, utterances, n_shared_blocks, i
):
    bank = make_bank(n_shared_blocks).train()
    chosen = torch.full((4, 1), i)
    raw = bank(utterances(4, 50), torch.full((4,), 50), chosen)
    raw[:, :, :9].square().sum().backward()
    assert gradient_norm(bank.experts[0].blocks[0]) > 0
    taught = [gradient_norm(expert.fc) > 0 for expert in bank.experts]
    assert taught == [expert == i for expert in range(3)]


@pytest.mark.parametrize("n_shared_blocks", [-1, 6, 1.0, True, "2", None])
def test_wrong_number_of_shared_blocks_is_refused(make_bank, n_shared_blocks):
    with pytest.raises(HyperparameterError, match="n_shared_blocks is .* 0 to"):
        make_bank(n_shared_blocks)


@pytest.mark.parametrize(
    "override",
    [
        {"channels": [8, 16, 16, 16, 48]},
        {"channels": [16, 8, 8, 8, 48]},
        {"kernel_sizes": [3, 3, 3, 3, 1]},
        {"dilations": [1, 1, 3, 4, 1]},
        {"se_channels": 8},
        {"res2net_scale": 2},
    ],
)
def test_expert_that_differs_in_a_shared_stage_is_refused(make_bank, override):
    """It would be without effect: expert 0's stages serve for all."""
    wanted = "expert_overrides changes expert 2 in the first n_shared_blocks"
    with pytest.raises(HyperparameterError, match=wanted):
        make_bank(2, expert_overrides=[{}, {}, override])


def test_experts_may_differ_after_the_shared_stages(make_bank, utterances):
    override = {
        "channels": [16, 16, 16, 16, 24],
        "kernel_sizes": [5, 3, 5, 5, 1],
        "dilations": [1, 2, 1, 1, 1],
        "attention_channels": 8,
    }
    bank = make_bank(2, expert_overrides=[{}, override, {}]).eval()
    raw = bank.run_all(utterances(2, 40), torch.full((2,), 40))
    assert raw.shape == (2, 3, 32)
