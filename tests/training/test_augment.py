import pandas as pd
import pytest
import soundfile
import torch
from speechbrain.augment.augmenter import Augmenter
from speechbrain.augment.time_domain import AddNoise, DropChunk, DropFreq

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.training.augment import (
    AddRoom,
    MixNoise,
    PerUtterance,
    check_snr,
)

SNR_DB = {"noise": [0, 0], "music": [10, 10], "babble": [20, 20]}


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
        min_augmentations=2,
        augmentations=[PerUtterance(Negate(), 0.5), PerUtterance(Scale(), 0.5)],
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


@pytest.fixture
def sounds(tmp_path):
    """A list with one file of each kind, a tone each, and its folder."""
    rows = []
    for i, kind in enumerate(("noise", "music", "babble")):
        wav = 0.01 * (i + 1) * torch.sin(torch.arange(24000) * 0.1 * (i + 1))
        folder = "speech" if kind == "babble" else kind
        path = tmp_path / folder / "a.wav"
        path.parent.mkdir()
        soundfile.write(path, wav.numpy(), 16000, subtype="FLOAT")
        rows.append({"wav": str(path), "duration": 1.5, "kind": kind})
    return pd.DataFrame(rows, index=list(SNR_DB))


def mixer(sounds, folder, kinds):
    csv = folder / "sounds.csv"
    sounds.loc[list(kinds)].to_csv(csv, index=False)
    return MixNoise(str(csv), SNR_DB)


@pytest.mark.parametrize("kind", SNR_DB)
def test_each_kind_is_mixed_at_its_own_snr(sounds, tmp_path, kind):
    torch.manual_seed(0)
    wavs = 0.1 * torch.randn(1, 16000)
    noisy = mixer(sounds, tmp_path, [kind])(wavs, torch.ones(1))
    gain = (noisy * wavs).sum() / wavs.square().sum()
    snr_db = 20 * torch.log10(gain * wavs.norm() / (noisy - gain * wavs).norm())
    assert snr_db.item() == pytest.approx(SNR_DB[kind][0], abs=0.5)


def test_babble_sums_three_to_seven_talkers(sounds, tmp_path, monkeypatch):
    mix, counts = mixer(sounds, tmp_path, ["babble"]), set()
    one = torch.ones(10)
    monkeypatch.setattr(mix, "_stretch", lambda kind, n_samples: one)
    for _ in range(100):
        counts.add(mix.draw("babble", 10)[0].item())
    assert counts == {3, 4, 5, 6, 7}


def test_all_kinds_of_the_list_are_drawn(sounds, tmp_path, monkeypatch):
    mix, drawn = mixer(sounds, tmp_path, SNR_DB), set()

    def draw(kind, n_samples):
        drawn.add(kind)
        return torch.ones(n_samples)

    monkeypatch.setattr(mix, "draw", draw)
    for _ in range(40):
        mix(torch.randn(1, 100), torch.ones(1))
    assert drawn == set(SNR_DB)


@pytest.mark.parametrize("n_before", [0, 1, 5])
def test_noise_and_room_follow_from_the_seed_alone(sounds, tmp_path, n_before):
    """Whatever was drawn before: what a resumed training relies on."""
    mix = mixer(sounds, tmp_path, SNR_DB)
    room = AddRoom(mix.csv_file)
    wavs = torch.linspace(-1, 1, 16000).unsqueeze(0)
    found = []
    for n in (2, n_before):
        for _ in range(n):
            room(mix(wavs, torch.ones(1)))
        torch.manual_seed(3)
        found.append(room(mix(wavs, torch.ones(1))))
    assert torch.equal(*found)


def test_room_is_a_convolution_at_the_level_before(tmp_path):
    echo = torch.zeros(800)
    echo[0], echo[400] = 1.0, 0.5
    soundfile.write(tmp_path / "rir.wav", echo.numpy(), 16000, subtype="FLOAT")
    pd.DataFrame({"wav": [tmp_path / "rir.wav"]}).to_csv(tmp_path / "rir.csv")
    wavs = 0.1 * torch.randn(2, 4000)
    found = AddRoom(str(tmp_path / "rir.csv"))(wavs)
    # SpeechBrain's convolution is circular
    wanted = wavs + 0.5 * wavs.roll(400, dims=1)
    shape = torch.cosine_similarity(found, wanted)
    assert torch.allclose(shape, torch.ones(2), atol=1e-5)
    assert torch.allclose(found.abs().mean(1), wavs.abs().mean(1), rtol=1e-4)


@pytest.mark.parametrize(
    "bad",
    [
        {"noise": [5, 0]},
        {"music": [0]},
        {"babble": [0, 1000]},
        {"noise": 5},
        {"music": ["a", "b"]},
        {"babble": None},
    ],
)
def test_snr_that_is_no_range_is_refused(bad):
    with pytest.raises(HyperparameterError, match=f"for {next(iter(bad))}"):
        check_snr(SNR_DB | bad)


@pytest.mark.parametrize("bad", [5, None, [0, 15], {}, {0: [0, 15]}])
def test_snr_is_a_range_for_each_kind(bad):
    with pytest.raises(HyperparameterError, match="snr_db .* music, babble"):
        check_snr(bad)
