"""What telephones and codecs leave of a batch."""

import pytest
import torch

from speechbrain_moe.training import batch_codecs
from speechbrain_moe.training.batch_codecs import (
    by_telephone,
    thinned,
    through_codecs,
)

N_SAMPLES = 16000


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(1)


def noise(n_rows=8, level=0.1):
    return level * torch.randn(n_rows, N_SAMPLES)


def power(wavs, low, high):
    """Mean power of each row in a band."""
    spectra = torch.fft.rfft(wavs).abs().square()  # 1 Hz a bin
    return spectra[:, low:high].mean(1)


def share_of_holes(wavs):
    """Bins of the spectrogram that are 40 dB below the loudest."""
    window = torch.hann_window(512).sqrt()
    spectra = torch.stft(wavs, 512, 256, window=window, return_complex=True)
    loudest = spectra.abs().amax((1, 2), keepdim=True)
    return (spectra.abs() < 0.01 * loudest).float().mean((1, 2))


@pytest.mark.parametrize("codec", [by_telephone, thinned])
@pytest.mark.parametrize("level", [0.0, 1e-4, 0.1, 3.0])
def test_a_codec_keeps_shape_and_stays_finite(codec, level):
    wavs = noise(level=level)
    before = wavs.clone()
    found = codec(wavs, 16000)
    assert found.shape == wavs.shape and found.isfinite().all()
    assert torch.equal(wavs, before)
    assert (found == 0).all() == (level == 0)


def test_a_telephone_passes_its_band_and_nothing_above():
    wavs = noise()
    found = by_telephone(wavs, 16000)
    assert (power(found, 4000, 8000) < 1e-6 * power(wavs, 4000, 8000)).all()
    kept = power(found, 100, 3300) / power(wavs, 100, 3300)
    assert ((kept - 1).abs() < 0.05).all()


def test_a_telephone_has_8_bits_by_the_size_of_a_sample(monkeypatch):
    """Mu-law: a step is a share of the sample, not of the loudest one."""
    monkeypatch.setattr(batch_codecs, "PHONE_HZ", (9000.0, 9000.0))
    wavs = 10 ** torch.empty(4, N_SAMPLES).uniform_(-2, 0)
    wavs *= torch.randn_like(wavs).sign()
    found = by_telephone(wavs, 16000)
    off = (found / wavs - 1).abs()
    assert 0.01 < off.max() < 0.1
    levels = 1 + (found.sort(1).values.diff(dim=1) > 5e-5).sum(1)
    assert ((levels > 100) & (levels <= 255)).all()


def test_a_codec_keeps_a_loud_tone_and_drops_what_it_masks(monkeypatch):
    monkeypatch.setattr(batch_codecs, "MASKED_DB", (0.0, 0.0))
    monkeypatch.setattr(batch_codecs, "COARSEST", 0.0)
    times = torch.arange(N_SAMPLES) / 16000
    tone = 0.5 * torch.sin(2 * torch.pi * 1000 * times)
    masked = 0.05 * torch.sin(2 * torch.pi * 1125 * times)
    found = thinned((tone + masked).expand(4, -1), 16000)
    kept = power(found, 990, 1011) / power(tone[None], 990, 1011)
    assert (kept > 0.5).all()
    left = power(found, 1115, 1136) / power(masked[None], 1115, 1136)
    assert (left < 0.2).all()


def test_a_codec_leaves_holes_and_ends_below_the_nyquist_frequency():
    wavs = noise(n_rows=40)
    found = thinned(wavs, 16000)
    assert share_of_holes(wavs).mean() < 0.01
    assert share_of_holes(found).mean() > 0.2
    high = power(found, 7900, 8000) / power(wavs, 7900, 8000)
    assert (high < 0.01).float().mean() > 0.8


@pytest.mark.parametrize("n_more", [0, 1, 128, 240, 255])
def test_a_coded_end_is_no_louder_than_the_rest(n_more):
    wavs = 0.1 * torch.randn(40, 4096 + n_more)
    found = thinned(wavs, 16000).abs()
    assert found[:, -20:].max() < 2 * found[:, 500:-500].max()


def test_rows_are_coded_each_in_its_own_way(monkeypatch):
    monkeypatch.setattr(batch_codecs, "COARSEST", 0.0)
    wavs = noise(n_rows=1).expand(20, -1)
    for codec in (by_telephone, thinned):
        found = codec(wavs, 16000)
        assert len(found[:, 500:600].unique(dim=0)) == 20


@pytest.mark.parametrize("prob, n_coded", [(0, 0), (0.3, 3), (0.5, 5), (1, 10)])
def test_a_share_of_the_rows_is_coded(prob, n_coded):
    wavs = noise(n_rows=10)
    before = wavs.clone()
    found = through_codecs(wavs, prob)
    assert torch.equal(wavs, before)
    assert (found != wavs).any(1).sum() == n_coded


def test_every_row_is_drawn_and_a_third_goes_by_telephone(monkeypatch):
    monkeypatch.setattr(batch_codecs, "by_telephone", lambda wavs, _: wavs + 1)
    monkeypatch.setattr(batch_codecs, "thinned", lambda wavs, _: wavs + 2)
    drawn = torch.stack(
        [through_codecs(torch.zeros(9, 600), 0.7)[:, 0] for _ in range(60)]
    )
    assert [(drawn == n).sum(1).unique().tolist() for n in range(3)] == [
        [3],
        [2],
        [4],
    ]
    assert all((drawn == n).any(0).all() for n in range(3))


def test_small_batches_have_telephones_too(monkeypatch):
    monkeypatch.setattr(batch_codecs, "by_telephone", lambda wavs, _: wavs + 1)
    monkeypatch.setattr(batch_codecs, "thinned", lambda wavs, _: wavs + 2)
    torch.manual_seed(0)
    drawn = [through_codecs(torch.zeros(8, 600), 0.3) for _ in range(300)]
    n_phones = sum((one[:, 0] == 1).sum().item() for one in drawn)
    assert 170 <= n_phones <= 230  # of two coded rows a third: 200


def test_the_seed_says_what_is_coded():
    wavs = noise()
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(through_codecs(wavs, 0.5))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
