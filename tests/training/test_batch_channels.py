"""Ends and bands of the spectrum that a channel takes away."""

import pytest
import torch

from speechbrain_moe.training import batch_augment
from speechbrain_moe.training.batch_augment import through_channels


@pytest.fixture
def gain_db(monkeypatch):
    """What channels take from 100 rows, in dB by Hz [100, 8001]."""

    def measure(notch=0.0, **constants):
        for name, value in constants.items():
            monkeypatch.setattr(batch_augment, name, value)
        wavs = torch.randn(100, 16000)
        before, after = (
            torch.fft.rfft(one.double()).abs()
            for one in (wavs, through_channels(wavs, notch, 16000))
        )
        return 20 * torch.log10((after / before).clamp(min=1e-3))

    return measure


def test_a_lacking_end_falls_by_24_db_an_octave(gain_db):
    edges = {"LOW_HZ": (400.0, 400.0), "HIGH_HZ": (3000.0, 3000.0)}
    found = gain_db(CHANNEL_PROB=1.0, **edges)
    for hz, wanted in (
        (100, -48.2),
        (200, -24.1),
        (400, -3.0),
        (1100, 0.0),
        (3000, -3.0),
        (6000, -24.1),
    ):
        assert (found[:, hz] - wanted).abs().max() < 0.1


def test_low_and_high_ends_are_lacking_by_themselves(gain_db):
    found = gain_db(CHANNEL_PROB=0.5)
    low, high = found[:, 10] < -20, found[:, 8000] < -3
    for one in (low, high, low & high, ~low & ~high):
        share = 0.5 if one is low or one is high else 0.25
        assert one.float().mean().item() == pytest.approx(share, abs=0.15)
    edges = (found < -3.01)[low].float().argmin(1)
    assert 45 < edges.min() < 100 and 300 < edges.max() < 405


def test_a_notch_is_one_band(gain_db):
    lacking = gain_db(notch=1.0, CHANNEL_PROB=0.0) < -50
    widths = lacking.sum(1)
    assert widths.min() > 0 and widths.max() <= 601
    assert lacking.int().diff(dim=1).abs().sum(1).max() == 2
