import pytest
import torch
from moe_probes import SELECTIONS, close_gate, count_calls, distance, pad, run

selections = pytest.mark.parametrize("selection, top_k", SELECTIONS)


@selections
@pytest.mark.parametrize("n_frames", [60, 300])
@pytest.mark.parametrize("n_padded", [1, 200])
def test_padding_does_not_change_the_embedding(
    tiny_model, utterances, selection, top_k, n_frames, n_padded
):
    model, feats = tiny_model(4, selection, top_k), utterances(8, n_frames)
    T = n_frames + n_padded
    lengths = torch.full((8,), n_frames / T)
    alone, routing = run(model, feats)
    padded, padded_routing = run(model, pad(feats, n_padded), lengths)
    assert distance(alone, padded) < 1e-4
    gap = padded_routing.gate_probs - routing.gate_probs
    assert gap.abs().max() < 1e-3


@pytest.mark.parametrize("value", [-100.0, 50.0, float("nan")])
def test_what_the_padding_holds_has_no_effect(tiny_model, utterances, value):
    model, feats = tiny_model(), utterances(4)
    lengths = torch.full((4,), 100 / 150)
    zero, _ = run(model, pad(feats, 50), lengths)
    other, _ = run(model, pad(feats, 50, value), lengths)
    assert torch.equal(zero, other)


@selections
def test_padding_the_waveform_does_not_change_the_embedding(
    tiny_model, voices, compute_features, selection, top_k
):
    """At lengths that are no multiples of the hop too, and in any batch."""
    model = tiny_model(4, selection, top_k)
    n_samples = torch.tensor([48000, 40001, 32039, 24080, 16120, 12959, 8159])
    for total in (48000, 48119):
        batch = voices(len(n_samples), total)
        for wav, n in zip(batch, n_samples):
            wav[n:] = 0
        found, routing = run(model, compute_features(batch), n_samples / total)
        for row, n in enumerate(n_samples):
            short = batch[row : row + 1, :n]
            alone, alone_routing = run(model, compute_features(short))
            assert distance(alone[0], found[row]) < 1e-5
            gap = alone_routing.gate_probs[0] - routing.gate_probs[row]
            assert gap.abs().max() < 1e-4


@selections
def test_batch_mates_of_equal_length_do_not_change_the_embedding(
    tiny_model, utterances, selection, top_k
):
    model, feats = tiny_model(4, selection, top_k), utterances(8)
    batch, _ = run(model, feats)
    alone = [run(model, feats[i : i + 1])[0] for i in range(8)]
    assert distance(torch.cat(alone), batch) < 1e-6


@selections
def test_batch_order_does_not_matter(tiny_model, utterances, selection, top_k):
    model, feats = tiny_model(4, selection, top_k), utterances(8)
    lengths = torch.linspace(0.5, 1, 8)
    order = torch.randperm(8)
    straight, routing = run(model, feats, lengths)
    shuffled, shuffled_routing = run(model, feats[order], lengths[order])
    assert distance(straight[order], shuffled) < 1e-6
    wanted = routing.expert_ids[order]
    assert torch.equal(wanted, shuffled_routing.expert_ids)


@pytest.mark.parametrize("top_k", [1, 2, 3])
def test_inference_calls_each_chosen_expert_once_and_no_other(
    tiny_model, utterances, top_k
):
    model = tiny_model(4, "top_k", top_k)
    close_gate(model, expert=2)
    calls = count_calls(model.experts)
    _, routing = run(model, utterances(8))
    chosen = set(routing.expert_ids.flatten().tolist())
    assert 2 not in chosen
    assert [len(seen) for seen in calls] == [int(i in chosen) for i in range(4)]


@selections
def test_inference_twice_is_identical(tiny_model, utterances, selection, top_k):
    model, feats = tiny_model(4, selection, top_k), utterances(6)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    first, first_routing = run(model, feats)
    torch.manual_seed(123)
    second, second_routing = run(model, feats)
    assert torch.equal(first, second)
    assert all(map(torch.equal, first_routing, second_routing))
    after = model.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)
