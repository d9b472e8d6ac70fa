import math

import numpy as np
import pytest
import torch
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

from speechbrain_moe.training.voice_warp import (
    FORMANT_SPREAD,
    GAIN_DB,
    KNOT_SPREAD,
    KNOTS,
    LARGEST_GAIN,
    SHARED,
    SPEEDS,
    Voices,
    draw_voices,
    hats,
    move_matrix,
    own_voices,
    smoothing_matrix,
    warp_envelopes,
)

RATE, N_BINS = 16000, 257
INNER = slice(1000, -1000)  # beyond what frames at the ends reach


def pulses(formant_hz, pitch_hz, width_hz=500):
    """A pulse train through one resonance [1, S]: a vowel, nearly."""
    wav = np.zeros(16000)
    wav[:: round(RATE / pitch_hz)] = 1.0
    angle = 2 * np.pi * formant_hz / RATE
    radius = np.exp(-np.pi * width_hz / RATE)
    wav = lfilter([1], [1, -2 * radius * np.cos(angle), radius**2], wav)
    return torch.tensor(0.3 * wav / np.abs(wav).max()).float().unsqueeze(0)


def formant_of(wavs):
    """The resonance that predicts each sample from two before it, in Hz."""
    wav = wavs[0, INNER].double()
    lags = [(wav[k:] * wav[: len(wav) - k]).sum().item() for k in range(3)]
    one, two = solve_toeplitz(lags[:2], lags[1:])
    pole = np.roots([1, -one, -two])[0]
    return abs(np.angle(pole)) * RATE / (2 * np.pi)


def power(wavs):
    """Power by frequency, 1 Hz a bin."""
    return torch.fft.rfft(wavs[0], RATE).abs().square()


def pitch_of(wavs):
    """The strongest repetition of 80 to 400 Hz, in Hz."""
    again = torch.fft.irfft(power(wavs))
    return RATE / (40 + int(again[40:200].argmax()))


def moved(scale, n=1):
    """Voices whose envelope alone is moved, by one factor everywhere."""
    voices = own_voices(n)
    return voices._replace(scales=scale * voices.scales)


def coloured(gains):
    """A voice with gains at the knots, nothing moved."""
    return own_voices(1)._replace(gains=torch.tensor([gains]))


@pytest.mark.parametrize("n_samples", [512, 4000, 16001])
def test_own_voices_leave_waveforms_as_they_are(n_samples):
    wavs = torch.randn(3, n_samples) / 10
    found = warp_envelopes(wavs, own_voices(3))
    assert found.shape == wavs.shape and found.dtype == torch.float32
    assert torch.allclose(found, wavs, atol=1e-5)


@pytest.mark.parametrize("scale", [0.8, 0.9, 1.1, 1.25])
@pytest.mark.parametrize("hz", [700, 1500, 2500])
def test_a_formant_moves_by_the_scale_given(hz, scale):
    """To a twentieth: what the envelope is too smooth for stays."""
    wavs = pulses(hz, 100)
    assert formant_of(wavs) == pytest.approx(hz, rel=0.01)
    found = formant_of(warp_envelopes(wavs, moved(scale)))
    assert found == pytest.approx(hz * scale, rel=0.05)


@pytest.mark.parametrize("scale", [0.8, 1.25])
@pytest.mark.parametrize("hz", [700, 1500, 2500])
def test_a_sharp_formant_moves_more_than_half_of_the_way(hz, scale):
    found = formant_of(warp_envelopes(pulses(hz, 100, 150), moved(scale)))
    assert 0.5 < math.log(found / hz) / math.log(scale) < 1


@pytest.mark.parametrize("scale", [0.8, 1.25])
@pytest.mark.parametrize("pitch_hz", [100, 160])
def test_pitch_stays_when_the_envelope_moves(scale, pitch_hz):
    wavs = warp_envelopes(pulses(1500, pitch_hz), moved(scale))
    assert pitch_of(wavs) == pytest.approx(pitch_hz, rel=0.01)


def test_a_knots_scale_changes_nothing_beyond_its_neighbours():
    voice = own_voices(1)
    voice.scales[0, 1] = 1.15  # of 1500 Hz, between 500 and 2500
    wavs = pulses(1500, 100)
    before, after = map(power, (wavs, warp_envelopes(wavs, voice)))
    change_db = 10 * torch.log10(after / before)
    harmonics = change_db[100::100][:60]
    assert harmonics[25:].abs().max() < 0.1 > harmonics[:4].abs().max()
    assert harmonics[8:20].abs().max() > 1


@pytest.mark.parametrize("knot", range(4))
@pytest.mark.parametrize("gain_db", [-6.0, 6.0])
def test_a_gain_changes_the_level_around_its_knot(knot, gain_db):
    gains = [0.0] * len(KNOTS)
    gains[knot] = gain_db * math.log(10) / 20
    wavs = torch.randn(1, 16000) / 10
    ratio_db = 10 * torch.log10(
        power(warp_envelopes(wavs, coloured(gains))) / power(wavs)
    )
    for other, place in enumerate(KNOTS[:4]):
        hz = round(place * RATE / 2)
        wanted = gain_db if other == knot else 0.0
        near = ratio_db[hz - 50 : hz + 50].median().item()
        assert near == pytest.approx(wanted, abs=0.7)


def test_each_waveform_has_the_voice_of_its_row():
    wavs = pulses(1500, 100).repeat(3, 1)
    voices = draw_voices(3, torch.Generator().manual_seed(1))
    together = warp_envelopes(wavs, voices)
    for row in range(3):
        alone = warp_envelopes(wavs[row : row + 1], voices.of([row]))
        assert torch.allclose(together[row], alone[0], atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 0.01


def test_silence_stays_silence():
    wavs = torch.zeros(4, 4000)
    assert torch.equal(warp_envelopes(wavs, draw_voices(4)), wavs)


@pytest.mark.parametrize("level", [1e-6, 1.0])
def test_no_voice_is_louder_than_its_limits(level):
    wavs = level * torch.randn(8, 8000)
    wavs[:, 2000:6000] = 0  # speech that stops
    voices = draw_voices(8)
    most = math.exp(LARGEST_GAIN) * voices.gains.exp().amax(1)
    found = warp_envelopes(wavs, voices)
    assert found.isfinite().all()
    assert (found.norm(dim=1) < most * wavs.norm(dim=1)).all()


def test_drawn_voices_follow_from_the_generator_alone():
    found = []
    for n_before in (0, 5):
        torch.rand(n_before)
        found.append(draw_voices(6, torch.Generator().manual_seed(3)))
    others = draw_voices(6, torch.Generator().manual_seed(4))
    for one, same, other in zip(*found, others):
        assert torch.equal(one, same) and not torch.equal(one, other)


def test_drawn_voices_are_within_bounds_and_unlike_each_other():
    voices = draw_voices(500)
    low, high = SPEEDS
    assert low <= voices.speeds.min() and voices.speeds.max() <= high
    assert voices.speeds.min() < 0.8 and voices.speeds.max() > 1.25
    follows = (SHARED - 1) * voices.speeds.log().unsqueeze(1)
    own = (voices.scales.log() - follows).abs()
    assert 0.1 < own.max() <= FORMANT_SPREAD + 2 * KNOT_SPREAD + 1e-5
    assert 0.1 < voices.gains.abs().max() < 4 * GAIN_DB * math.log(10) / 20
    assert voices.gains.mean(1).abs().max() < 1e-6  # no louder, no softer


def test_a_higher_voice_has_higher_formants_by_less():
    voices = draw_voices(500)
    speeds, scales = voices.speeds.log(), voices.scales.log().mean(1)
    heard = speeds + scales
    slope = (heard * speeds).mean() / speeds.square().mean()
    assert slope.item() == pytest.approx(SHARED, abs=0.1)


@pytest.mark.parametrize("scale", [0.8, 1.0, 1.25])
def test_places_that_are_moved_by_one_scale_are_in_proportion(scale):
    knots, between = hats(N_BINS, torch.device("cpu"))
    found = knots / scale @ between
    wanted = torch.linspace(0, 1, N_BINS) / scale
    assert torch.allclose(found, wanted, atol=1e-6)


def test_the_place_of_a_knot_follows_its_own_scale():
    knots, between = hats(N_BINS, torch.device("cpu"))
    scales = torch.tensor([0.9, 1.2, 0.8, 1.1, 1.0])
    at_knots = (knots * (N_BINS - 1)).long()
    found = (knots / scales @ between)[at_knots]
    assert torch.allclose(found, knots / scales, atol=1e-6)


@pytest.mark.parametrize("value", [-9.0, 2.5])
def test_a_constant_spectrum_is_kept(value):
    flat = torch.full((N_BINS, 1), value)
    places = (N_BINS - 1) * torch.rand(2, N_BINS)
    smooth = smoothing_matrix(N_BINS, torch.device("cpu"))
    assert torch.allclose(move_matrix(places) @ flat, flat, atol=1e-5)
    assert torch.allclose(smooth @ flat, flat, atol=1e-4)


def test_a_move_to_where_it_is_changes_nothing():
    places = torch.arange(N_BINS).float().unsqueeze(0)
    assert torch.equal(move_matrix(places)[0], torch.eye(N_BINS))


@pytest.mark.parametrize("pitch_hz", [100, 160, 400])
def test_smoothing_takes_harmonics_off_and_leaves_the_wide_shape(pitch_hz):
    """A ripple of the log spectrum with the pitch as its period."""
    hz = torch.linspace(0, RATE / 2, N_BINS)
    ripple = torch.cos(2 * torch.pi * hz / pitch_hz).unsqueeze(1)
    wide = torch.cos(2 * torch.pi * hz / 8000).unsqueeze(1)
    smooth = smoothing_matrix(N_BINS, torch.device("cpu"))
    assert (smooth @ ripple).abs().max() < 0.1
    assert (smooth @ wide - wide).abs().max() < 0.05


def test_voices_can_be_picked_by_row():
    voices = draw_voices(4)
    picked = voices.of(torch.tensor([3, 1]))
    assert isinstance(picked, Voices)
    for few, all_ in zip(picked, voices):
        assert torch.equal(few, all_[[3, 1]])
