import pytest
import torch
from speechbrain.augment.augmenter import Augmenter
from speechbrain.augment.time_domain import AddNoise, DropChunk, DropFreq

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.augment import PerUtterance


class Negate(torch.nn.Module):
    """Turns waveforms over and remembers what it was called with."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, waveforms):
        self.calls.append(waveforms.shape)
        return waveforms.neg_()  # in place, as some of SpeechBrain's do


class Scale(torch.nn.Module):
    """Multiplies by the relative length."""

    def forward(self, waveforms, lengths):
        return waveforms * lengths.unsqueeze(1)


@pytest.fixture
def wavs():
    return torch.randn(400, 100)


@pytest.mark.parametrize("prob", [0.1, 0.4, 0.9])
def test_about_one_minus_prob_of_the_utterances_are_untouched(wavs, prob):
    changed = PerUtterance(Negate(), prob)(wavs, torch.ones(400))
    untouched = (changed == wavs).all(1)
    assert untouched.float().mean().item() == pytest.approx(1 - prob, abs=0.08)
    assert torch.equal(changed[~untouched], -wavs[~untouched])


def test_probability_zero_changes_nothing(wavs):
    augment = PerUtterance(Negate(), prob=0)
    assert torch.equal(augment(wavs, torch.ones(400)), wavs)
    assert augment.augmentation.calls == []


def test_probability_one_calls_once_for_each_utterance(wavs):
    augment = PerUtterance(Negate(), prob=1)
    assert torch.equal(augment(wavs, torch.ones(400)), -wavs)
    assert augment.augmentation.calls == [(1, 100)] * 400


def test_input_is_not_changed_in_place(wavs):
    before = wavs.clone()
    PerUtterance(Negate(), prob=1)(wavs, torch.ones(400))
    assert torch.equal(wavs, before)


def test_each_utterance_is_given_its_own_length(wavs):
    lengths = torch.linspace(0.1, 1, 400)
    found = PerUtterance(Scale())(wavs, lengths)
    assert torch.allclose(found, wavs * lengths.unsqueeze(1))


@pytest.mark.parametrize(
    "augmentation",
    [AddNoise(snr_low=0, snr_high=0), DropFreq(), DropChunk()],
    ids=lambda module: type(module).__name__,
)
def test_speechbrains_augmentations_keep_the_shape_and_differ_by_row(
    augmentation,
):
    wavs = torch.randn(1, 4000).repeat(6, 1)
    found = PerUtterance(augmentation)(wavs, torch.ones(6))
    assert found.shape == wavs.shape and torch.isfinite(found).all()
    assert len({tuple(row.tolist()) for row in found}) > 1


def test_it_runs_inside_speechbrains_augmenter(wavs):
    chain = Augmenter(
        augmentations=[PerUtterance(Negate(), 0.5), PerUtterance(Scale(), 0.5)]
    )
    found, lengths = chain(wavs, torch.full((400,), 0.5))
    factors = (found / wavs).mean(1)
    assert found.shape == wavs.shape and lengths.tolist() == [0.5] * 400
    for factor in (1.0, -1.0, 0.5, -0.5):
        share = (factors - factor).abs().lt(1e-4).float().mean().item()
        assert share == pytest.approx(0.25, abs=0.08)


@pytest.mark.parametrize("prob", [-0.1, 1.1, float("nan")])
def test_probability_out_of_range_is_refused(prob):
    with pytest.raises(HyperparameterError, match="probability .* 0 to 1"):
        PerUtterance(Negate(), prob)
