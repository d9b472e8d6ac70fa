import inspect

import pytest
import torch
import torch.nn.functional as F
from moe_probes import SELECTIONS, distance, run, train_step
from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN

from speechbrain_moe.errors import HyperparameterError, InputError
from speechbrain_moe.lobes.experts import ExpertBank
from speechbrain_moe.lobes.gate import GatingCNN
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA, PassThrough, aggregate

selections = pytest.mark.parametrize("selection, top_k", SELECTIONS)


def test_different_utterances_have_different_embeddings(tiny_model, utterances):
    embedding, routing = run(tiny_model(), utterances(16))
    cosines = embedding.squeeze(1) @ embedding.squeeze(1).T
    assert cosines.fill_diagonal_(0).max() < 0.99
    assert len(routing.expert_ids.unique()) == 4


@selections
@pytest.mark.parametrize("mode", [True, False])
def test_embeddings_are_float32_of_unit_length(
    tiny_model, utterances, selection, top_k, mode
):
    model = tiny_model(4, selection, top_k).train(mode)
    embedding, routing = run(model, utterances(6), torch.linspace(0.6, 1, 6))
    assert embedding.shape == (6, 1, 32) and embedding.dtype == torch.float32
    norm = embedding.norm(dim=2)
    assert torch.allclose(norm, torch.ones_like(norm), atol=1e-6)
    assert torch.allclose(routing.expert_weights.sum(1), torch.ones(6))
    assert torch.allclose(routing.gate_probs.sum(1), torch.ones(6))
    assert routing.norm.shape == (6,) and routing.norm.min() > 0


def test_one_uniform_expert_is_speechbrains_ecapa(tiny_expert, utterances):
    torch.manual_seed(3)
    stock = ECAPA_TDNN(80, lin_neurons=32, **tiny_expert).eval()
    bank = ExpertBank(1, emb_dim=32, expert=tiny_expert)
    bank.experts[0].load_state_dict(stock.state_dict(), strict=True)
    model = MoEECAPA(GatingCNN(n_experts=1), bank, "uniform").eval()
    feats = utterances(4)
    wanted = F.normalize(stock(feats - feats.mean(1, keepdim=True)), dim=2)
    found = model(feats)
    assert distance(found, wanted) < 1e-6
    assert torch.allclose(found, wanted, atol=1e-5)


def test_one_expert_keeps_ecapa_keys_and_no_others(tiny_model, tiny_expert):
    stock = ECAPA_TDNN(80, lin_neurons=32, **tiny_expert)
    wanted = {f"experts.experts.0.{key}" for key in stock.state_dict()}
    assert set(tiny_model(1, "uniform").state_dict()) == wanted


def test_top_k_of_all_experts_equals_soft(tiny_model, utterances):
    feats = utterances(8)
    soft, _ = run(tiny_model(4, "soft"), feats)
    hard, _ = run(tiny_model(4, "top_k", 4), feats)
    assert distance(soft, hard) < 1e-6


def test_uniform_keeps_no_gate_and_says_so_evenly(tiny_model, utterances):
    model = tiny_model(4, "uniform")
    _, routing = run(model, utterances(3))
    assert not [key for key in model.state_dict() if "gate" in key]
    assert torch.equal(routing.gate_logits, torch.zeros(3, 4))
    assert torch.equal(routing.expert_weights, torch.full((3, 4), 0.25))


@selections
def test_embedding_is_the_weighted_sum_of_unit_experts(
    tiny_model, utterances, selection, top_k
):
    model, feats = tiny_model(4, selection, top_k), utterances(5)
    embedding, routing = run(model, feats)
    normalised = feats - feats.mean(1, keepdim=True)
    for row in range(5):
        total, norm = 0, 0
        for i, weight in zip(
            routing.expert_ids[row], routing.expert_weights[row]
        ):
            with torch.no_grad():
                raw = model.experts.experts[i](normalised[row : row + 1])[0, 0]
            total = total + weight * raw / raw.norm()
            norm = norm + weight * raw.norm()
        assert distance(total / total.norm(), embedding[row, 0]) < 1e-6
        assert routing.norm[row].item() == pytest.approx(norm.item(), rel=1e-4)
        agreed = total.norm().item()
        assert routing.agreement[row].item() == pytest.approx(agreed, abs=1e-5)


@selections
def test_logits_and_embeddings_are_float32_under_autocast(
    tiny_model, utterances, selection, top_k
):
    model, feats = tiny_model(4, selection, top_k), utterances(8)
    wanted, wanted_routing = run(model, feats)
    with torch.autocast("cpu", torch.bfloat16):
        embedding, routing = run(model, feats)
        trained, _ = run(model.train(), feats)
    assert {x.dtype for x in (embedding, trained)} == {torch.float32}
    assert routing.gate_logits.dtype == torch.float32
    assert torch.equal(routing.gate_logits, wanted_routing.gate_logits)
    assert distance(embedding, wanted) < 1e-2  # 8 bits of mantissa
    assert torch.allclose(embedding.norm(dim=2), torch.ones(8, 1), atol=1e-6)


@pytest.mark.parametrize("top_k", [1, 2, 3, 4])
def test_agreement_is_a_share_and_one_for_a_single_expert(
    tiny_model, utterances, top_k
):
    _, routing = run(tiny_model(4, "top_k", top_k), utterances(8))
    if top_k == 1:
        assert torch.allclose(routing.agreement, torch.ones(8), atol=1e-6)
    else:
        assert routing.agreement.min() >= 0 and routing.agreement.max() < 0.999


def test_agreement_and_norm_of_hand_worked_experts():
    raw = torch.tensor([[[0.0, 2.0], [4.0, 0.0]], [[3.0, 0.0], [-3.0, 0.0]]])
    weights = torch.tensor([[0.6, 0.4], [0.75, 0.25]])
    embedding, norm, agreement = aggregate(raw, weights)
    wanted = torch.tensor([[0.4, 0.6], [1.0, 0.0]])
    wanted[0] /= wanted[0].norm()
    assert torch.allclose(embedding.squeeze(1), wanted)
    assert torch.allclose(norm, torch.tensor([2.8, 3.0]))
    assert torch.allclose(agreement, torch.tensor([0.52**0.5, 0.5]))


def test_raw_gate_hears_the_channel_and_the_normalised_one_does_not(
    tiny_model, utterances
):
    feats = utterances(4)
    channel = feats + 5 * torch.linspace(-1, 1, 80)
    gaps = {}
    for gate_input in ("raw", "normalised"):
        model = tiny_model(gate_input=gate_input)
        logits = [run(model, x)[1].gate_logits for x in (feats, channel)]
        gaps[gate_input] = (logits[0] - logits[1]).abs().max().item()
    assert gaps["raw"] > 0.1 and gaps["normalised"] < 1e-3


@pytest.mark.parametrize("gate_input", ["raw", "normalised"])
def test_gain_changes_neither_gate_nor_embedding(
    tiny_model, utterances, gate_input
):
    model, feats = tiny_model(gate_input=gate_input), utterances(4)
    quiet, quiet_routing = run(model, feats - 20)
    loud, loud_routing = run(model, feats)
    gap = quiet_routing.gate_logits - loud_routing.gate_logits
    assert distance(quiet, loud) < 1e-6 and gap.abs().max() < 1e-3


def test_experts_of_different_shapes_mix(tiny_expert, utterances):
    overrides = [
        {},
        {"kernel_sizes": [3, 5, 5, 5, 1], "dilations": [1, 1, 2, 2, 1]},
        {"channels": [8, 8, 8, 8, 24]},
    ]
    bank = ExpertBank(3, 80, 32, tiny_expert, overrides)
    model = MoEECAPA(GatingCNN(n_experts=3), bank, "top_k", 2)
    train_step(model, utterances(10))
    embedding, _ = run(model.eval(), utterances(10))
    assert embedding.shape == (10, 1, 32)


@selections
@pytest.mark.parametrize("mode", [True, False])
def test_forward_leaves_nothing_on_the_module(
    tiny_model, utterances, selection, top_k, mode
):
    model = tiny_model(4, selection, top_k).train(mode)

    def attributes():
        return [
            {k: id(v) for k, v in vars(part).items()}
            for name, part in model.named_modules()
            if not name.startswith("experts.experts.")
        ]

    before = attributes()
    run(model, utterances(4), torch.ones(4))
    assert attributes() == before


@selections
def test_stock_call_gives_one_tensor(tiny_model, utterances, selection, top_k):
    model = tiny_model(4, selection, top_k)
    feats, lengths = utterances(3), torch.ones(3)
    embedding = model(feats, lengths)
    assert isinstance(embedding, torch.Tensor)
    assert torch.equal(embedding, model(feats))
    names = list(inspect.signature(model.forward).parameters)
    assert names[:2] == ["feats", "lengths"]


@pytest.mark.parametrize("length", [0.0, -1.0, 1.2, float("nan")])
def test_wrong_lengths_are_refused(tiny_model, utterances, length):
    with pytest.raises(InputError, match="relative lengths must lie"):
        tiny_model()(utterances(2), torch.tensor([1.0, length]))


def test_wrong_number_of_lengths_is_refused(tiny_model, utterances):
    with pytest.raises(InputError, match="2 utterances came with lengths"):
        tiny_model()(utterances(2), torch.ones(3))


@pytest.mark.parametrize("gate_input", ["wav", None, "normalized"])
def test_unknown_gate_input_is_refused(tiny_model, gate_input):
    wanted = "gate_input is .* choose raw or normalised"
    with pytest.raises(HyperparameterError, match=wanted):
        tiny_model(gate_input=gate_input)


@pytest.mark.parametrize("top_k", [0, 5, "1", True])
def test_top_k_that_does_not_fit_is_refused(tiny_model, top_k):
    with pytest.raises(HyperparameterError, match="top_k is .* from 1 to 4"):
        tiny_model(4, "top_k", top_k)


def test_unknown_selection_is_refused(tiny_model):
    with pytest.raises(HyperparameterError, match="selection is 'best'"):
        tiny_model(4, "best")


def test_pass_through_gives_back_the_very_tensor():
    x = torch.randn(2, 3)
    assert PassThrough()(x, torch.ones(2)) is x and PassThrough()(x) is x
