"""The benchmark of refusals: faults are counted, files spoilt as said."""

import numpy as np
import pytest
import refusals


@pytest.fixture
def wav(voices):
    return voices(1, 16000)[0].numpy()


def test_row_has_the_share_of_files_with_each_fault(wav):
    silence = np.zeros_like(wav)
    cells = refusals.row("some", [wav, silence, wav, wav]).split(" | ")
    assert cells[:4] == ["| some", "4", "25.00", "25.00"]
    assert {cell.strip(" |") for cell in cells[4:]} == {"0.00"}


def test_noise_has_the_level_said(wav):
    added = refusals.noisy(wav, 10) - wav
    ratio = 10 * np.log10(np.mean(wav**2) / np.mean(added**2))
    assert ratio == pytest.approx(10, abs=0.2)


def test_clipping_cuts_at_the_share_of_the_peak(wav):
    cut = refusals.clipped(wav, 5)
    assert np.abs(cut).max() == pytest.approx(np.abs(wav).max() / 5)


@pytest.mark.parametrize("power", [0, 1, 2])
def test_noise_alone_falls_with_frequency_and_is_refused(wav, power):
    noise = refusals.noise_alone(wav, power)
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    low, high = spectrum[1000:2000].mean(), spectrum[2000:4000].mean()
    assert 10 * np.log10(low / high) == pytest.approx(3 * power, abs=1)
    assert refusals.row("noise", [noise]).split(" | ")[2] == "100.00"


@pytest.mark.parametrize("subtype", ["FLOAT", "ULAW"])
def test_a_file_of_8_khz_keeps_length_and_lower_half(wav, subtype):
    found = refusals.resampled(wav, subtype)
    power = np.abs(np.fft.rfft(found)) ** 2
    assert len(found) == len(wav)
    assert power[4500:].sum() < 1e-3 * power[:4000].sum()
