import pytest
import torch
from moe_probes import (
    COMBINATIONS,
    SELECTIONS,
    close_gate,
    count_calls,
    distance,
    pad,
    run,
)

selections = pytest.mark.parametrize("selection, top_k", SELECTIONS)
combinations = pytest.mark.parametrize(
    "settings", COMBINATIONS.values(), ids=COMBINATIONS
)


@pytest.fixture
def combined(tiny_model):
    """A model with options that act together, and a bias and temperature."""

    def make(settings):
        model = tiny_model(**settings)
        model.expert_bias.copy_(torch.tensor([0.1, -0.2, 0.0, 0.3]))
        model.gate_temperature.fill_(0.7)
        return model

    return make


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


@combinations
def test_no_option_makes_inference_random(combined, utterances, settings):
    model, feats = combined(settings), utterances(8)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    first, first_routing = run(model, feats)
    torch.manual_seed(123)
    second, second_routing = run(model, feats)
    assert torch.equal(first, second)
    assert all(map(torch.equal, first_routing, second_routing))
    after = model.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)


@combinations
def test_no_option_makes_inference_depend_on_batch_mates(
    combined, utterances, settings
):
    """Nor on how many there are: no capacity, no guest, no rival."""
    model, feats = combined(settings), utterances(8)
    batch, routing = run(model, feats)
    alone = [run(model, feats[i : i + 1]) for i in range(8)]
    assert distance(torch.cat([e for e, _ in alone]), batch) < 1e-6
    chosen = torch.cat([r.expert_ids for _, r in alone])
    assert torch.equal(chosen, routing.expert_ids)
    crowd, _ = run(model, feats[[0] * 20 + [1]])
    assert distance(crowd, batch[[0] * 20 + [1]]) < 1e-6


@combinations
def test_no_option_lets_padding_change_the_embedding(
    combined, utterances, settings
):
    model, feats = combined(settings), utterances(6, 90)
    n_frames = torch.tensor([90, 30, 77, 60, 51, 89])
    found, routing = run(model, pad(feats, 30), n_frames / 120)
    for row, n in enumerate(n_frames.tolist()):
        alone, alone_routing = run(model, feats[row : row + 1, :n])
        assert distance(alone[0], found[row]) < 1e-5
        chosen = alone_routing.expert_ids[0]
        assert torch.equal(chosen, routing.expert_ids[row])


@pytest.mark.parametrize("execution", ["dense", "sparse"])
def test_execution_of_training_makes_no_difference_later(
    tiny_model, utterances, execution
):
    model, feats = tiny_model(top_k=2), utterances(6)
    before, _ = run(model, feats)
    model.execution = execution
    assert torch.equal(run(model, feats)[0], before)


def test_bias_changes_who_is_chosen_and_never_the_weights(
    tiny_model, utterances
):
    model, feats = tiny_model(top_k=2), utterances(16)
    _, before = run(model, feats)
    model.expert_bias[2] = 5.0
    _, after = run(model, feats)
    assert (after.expert_ids[:, 0] == 2).all()
    assert (before.expert_ids != 2).all(1).any()
    assert torch.equal(after.gate_probs, before.gate_probs)
    kept = before.gate_probs.gather(1, after.expert_ids)
    wanted = kept / kept.sum(1, keepdim=True)
    assert torch.allclose(after.expert_weights, wanted)


def test_bias_and_temperature_travel_in_the_state(tiny_model, utterances):
    model, other = tiny_model(top_k=2), tiny_model(top_k=2)
    model.expert_bias.copy_(torch.tensor([0.3, 0.0, -0.3, 0.1]))
    model.gate_temperature.fill_(3.0)
    feats = utterances(12)
    _, wanted = run(model, feats)
    assert not torch.equal(run(other, feats)[1].expert_ids, wanted.expert_ids)
    other.load_state_dict(model.state_dict())
    assert all(map(torch.equal, run(other, feats)[1], wanted))


def test_temperature_divides_the_logits(tiny_model, utterances):
    model, feats = tiny_model(selection="soft"), utterances(6)
    model.gate_temperature.fill_(4.0)
    _, routing = run(model, feats)
    wanted = (routing.gate_logits / 4).softmax(1)
    assert torch.equal(routing.gate_probs, wanted)
    assert torch.equal(routing.expert_weights, wanted)


@pytest.mark.parametrize("selection, top_k", SELECTIONS)
@pytest.mark.parametrize("n_shared_blocks", [0, 2])
def test_always_on_expert_takes_exactly_its_share(
    tiny_model, utterances, selection, top_k, n_shared_blocks
):
    bank = {"always_on": True, "n_shared_blocks": n_shared_blocks}
    model = tiny_model(4, selection, top_k, bank, always_on_weight=0.3)
    feats = utterances(5)
    embedding, routing = run(model, feats)
    normalised = feats - feats.mean(1, keepdim=True)
    with torch.no_grad():
        raw = model.experts.run_all(normalised, torch.full((5,), 100))
    unit = raw / raw.norm(dim=2, keepdim=True)
    weights = torch.zeros(5, 5)
    weights.scatter_(1, routing.expert_ids, 0.7 * routing.expert_weights)
    weights[:, 4] = 0.3
    mixed = (weights.unsqueeze(2) * unit).sum(1, keepdim=True)
    assert distance(mixed, embedding) < 1e-6
    agreement = mixed.norm(dim=2).flatten()
    assert torch.allclose(routing.agreement, agreement, atol=1e-5)


def test_always_on_expert_hears_everyone_and_no_gate_chooses_it(
    tiny_model, utterances
):
    model = tiny_model(always_on_weight=0.3, bank={"always_on": True})
    calls = count_calls(model.experts)
    _, routing = run(model, utterances(16))
    assert calls[4] == [16] and sum(map(sum, calls[:4])) == 16
    assert routing.gate_logits.shape == (16, 4)
    assert routing.expert_ids.max() < 4
    assert routing.expert_weights.tolist() == [[1.0]] * 16
