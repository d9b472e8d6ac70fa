import pytest
import torch
from moe_probes import count_calls
from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.lobes.expert_settings import build_expert
from speechbrain_moe.lobes.experts import ExpertBank


@pytest.fixture
def bank(tiny_expert):
    return ExpertBank(4, emb_dim=32, expert=tiny_expert).eval()


@pytest.fixture
def stock(tiny_expert):
    torch.manual_seed(1)
    return ECAPA_TDNN(80, lin_neurons=32, **tiny_expert).eval()


def test_expert_keys_are_those_of_ecapa_tdnn(bank, stock):
    wanted = {f"experts.{i}.{k}" for i in range(4) for k in stock.state_dict()}
    assert set(bank.state_dict()) == wanted


def test_weights_of_an_ecapa_tdnn_load_strictly_into_an_expert(
    bank, stock, utterances
):
    feats, counts = utterances(2), torch.full((2,), 100)
    bank.experts[2].load_state_dict(stock.state_dict(), strict=True)
    found = bank.run_all(feats, counts)[:, 2:3]
    assert torch.allclose(found, stock(feats), atol=1e-5)


@pytest.mark.parametrize("global_context", [True, False])
def test_a_padded_batch_gives_what_stock_gives_for_each_alone(
    tiny_expert, utterances, global_context
):
    settings = {**tiny_expert, "global_context": global_context}
    bank = ExpertBank(1, emb_dim=32, expert=settings)
    feats, counts = utterances(4), torch.tensor([100, 70, 12, 99])
    bank.train().run_all(feats, torch.full((4,), 100))
    bank.eval()
    found = bank.run_all(feats, counts)[:, 0]
    for row, n in enumerate(counts.tolist()):
        alone = bank.experts[0](feats[row : row + 1, :n]).flatten()
        assert torch.allclose(found[row], alone, atol=1e-4), n


def test_gradients_are_those_of_the_stock_module(bank, stock, utterances):
    feats, counts = utterances(6), torch.full((6,), 100)
    bank.experts[0].load_state_dict(stock.state_dict())
    bank.train().run_all(feats, counts)[:, 0, :5].square().sum().backward()
    stock.train()(feats)[:, 0, :5].square().sum().backward()
    largest = max(w.grad.abs().max() for w in stock.parameters())
    for found, wanted in zip(bank.experts[0].parameters(), stock.parameters()):
        assert torch.allclose(found.grad, wanted.grad, atol=1e-4 * largest)


@pytest.mark.parametrize("counts", [[100] * 4, [60, 100, 12, 60]])
def test_chosen_experts_run_once_the_others_never(bank, utterances, counts):
    calls = count_calls(bank)
    expert_ids = torch.tensor([[0, 3], [3, 1], [0, 1], [3, 0]])
    bank(utterances(4), torch.tensor(counts), expert_ids)
    assert calls == [[3], [2], [], [3]]


def test_all_experts_run_on_everything_in_run_all(bank, utterances):
    calls = count_calls(bank)
    assert bank.run_all(utterances(3), torch.full((3,), 100)).shape == (
        3,
        4,
        32,
    )
    assert calls == [[3]] * 4


def test_gathered_embeddings_are_those_of_run_all(bank, utterances):
    feats, counts = utterances(5), torch.full((5,), 100)
    expert_ids = torch.stack([torch.randperm(4)[:2] for _ in range(5)])
    everything = bank.run_all(feats, counts)
    wanted = everything.gather(1, expert_ids.unsqueeze(2).expand(-1, -1, 32))
    found = bank(feats, counts, expert_ids)
    assert torch.allclose(found, wanted, atol=1e-5)


def test_experts_may_differ_in_kernels_dilations_and_widths(
    tiny_expert, utterances
):
    overrides = [
        {},
        {"kernel_sizes": [3, 5, 5, 5, 1]},
        {"dilations": [1, 1, 1, 1, 1]},
        {"channels": [8, 8, 8, 8, 24], "se_channels": 4},
    ]
    bank = ExpertBank(4, 80, 32, tiny_expert, overrides).eval()
    kernels = [e.blocks[0].conv.kernel_size for e in bank.experts]
    dilations = [
        e.blocks[2].res2net_block.blocks[0].conv.conv.dilation[0]
        for e in bank.experts
    ]
    widths = [e.mfa.conv.conv.out_channels for e in bank.experts]
    assert kernels == [5, 3, 5, 5] and widths == [48, 48, 48, 24]
    assert dilations == [3, 3, 1, 3]
    assert bank.run_all(utterances(2), torch.full((2,), 100)).shape == (
        2,
        4,
        32,
    )


def test_input_size_and_emb_dim_are_those_asked_for(tiny_expert):
    bank = ExpertBank(2, 40, 24, tiny_expert).eval()
    assert bank.run_all(torch.randn(3, 30, 40), torch.full((3,), 30)).shape == (
        3,
        2,
        24,
    )


def test_defaults_are_the_stock_expert():
    assert set(build_expert(80, 192, {}).state_dict()) == set(
        ECAPA_TDNN(80).state_dict()
    )


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"width": 3}, "experts take no width: choose from .*channels"),
        ({"lin_neurons": 3}, "experts take no lin_neurons"),
        ({"channels": [12] * 5}, "channels .* divisible by res2net_scale 8"),
        ({"channels": [16, 16, 8, 8, 24]}, "between .* must be alike"),
        ({"channels": [16, 8, 16, 16, 24]}, "between .* must be alike"),
        ({"channels": [16] * 4}, "layer lists differ in length"),
        ({"kernel_sizes": [5, 3, 3, 1]}, "layer lists differ in length"),
        ({"dilations": [1] * 6}, "layer lists differ in length"),
        (
            {"channels": [16] * 4, "kernel_sizes": [3] * 5},
            "layer lists differ in length",
        ),
    ],
)
def test_wrong_expert_setting_is_refused_by_name(settings, message):
    with pytest.raises(HyperparameterError, match=message):
        build_expert(80, 32, settings)


def test_experts_of_four_layers_can_be_built(tiny_expert):
    settings = {
        **tiny_expert,
        "channels": [16, 16, 16, 32],
        "kernel_sizes": [5, 3, 3, 1],
        "dilations": [1, 2, 3, 1],
        "groups": [1, 1, 1, 1],
    }
    assert len(build_expert(80, 32, settings).blocks) == 3


def test_kernels_of_even_size_are_refused(tiny_expert):
    with pytest.raises(HyperparameterError, match="kernel_sizes .* odd"):
        build_expert(80, 32, {**tiny_expert, "kernel_sizes": [4, 3, 3, 3, 1]})


@pytest.mark.parametrize("n_overrides", [1, 5])
def test_wrong_number_of_expert_overrides_is_refused(tiny_expert, n_overrides):
    wanted = f"expert_overrides has {n_overrides} entries.*n_experts is 4"
    with pytest.raises(HyperparameterError, match=wanted):
        ExpertBank(4, 80, 32, tiny_expert, [{}] * n_overrides)


@pytest.mark.parametrize("n_experts", [0, -1, "4", 2.0, None, True])
def test_wrong_number_of_experts_is_refused(n_experts):
    with pytest.raises(HyperparameterError, match="n_experts is .*1 or more"):
        ExpertBank(n_experts)
