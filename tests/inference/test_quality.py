import numpy as np
import pytest
from speechbrain.dataio.preprocess import AudioNormalizer

from speechbrain_moe.inference.quality import (
    find_faults,
    measure_quality,
    merge_qualities,
)

T = np.arange(32000) / 16000


def faults(wav):
    return list(find_faults(measure_quality(np.asarray(wav, np.float32))))


def noise(level=0.1, seed=0):
    return level * np.random.default_rng(seed).normal(size=len(T))


def falling(power, n_samples=32000, seed=0):
    """Noise whose spectrum falls with frequency, as that of wind does."""
    white = np.random.default_rng(seed).normal(size=n_samples)
    bins = np.arange(n_samples // 2 + 1).clip(1)
    wav = np.fft.irfft(np.fft.rfft(white) / bins ** (power / 2), n_samples)
    return 0.1 * wav / wav.std()


def test_voices_have_no_fault(voices):
    for wav in voices(8, 32000).numpy():
        assert faults(wav) == []


@pytest.mark.parametrize(
    "sound",
    [np.zeros(16000), np.full(16000, 0.3), 1e-4 * np.sin(T), noise(3e-4)],
    ids=["zeros", "constant", "faint tone", "faint noise"],
)
def test_silence_is_told_and_nothing_else_of_it(sound):
    assert faults(sound) == ["silent"]


@pytest.mark.parametrize(
    "sound",
    [
        noise(),
        noise() * (1.05 + np.sin(2 * np.pi * 4 * T)),
        falling(1),
        falling(1) * (1.05 + np.sin(2 * np.pi * 4 * T)),
        falling(2) * (1.05 + np.sin(2 * np.pi * 4 * T)),
        sum(np.sin(2 * np.pi * 50 * k * T) for k in range(1, 9)) / 20,
        0.3 * np.sin(2 * np.pi * 220 * T),
        (np.arange(len(T)) % 8000 == 0) * 0.9 + noise(1e-3),
    ],
    ids=["noise", "pulsing noise"]
    + ["pink noise", "pulsing pink", "gusts", "hum", "tone", "clicks"],
)
def test_sound_without_speech_is_told(sound):
    assert "no_speech" in faults(sound)


def test_little_speech_is_told_from_none(voices):
    wav = voices(1, 32000)[0].numpy().copy()
    loudest = int(np.abs(wav[2400:-2400]).argmax())
    wav[:loudest], wav[loudest + 2400 :] = 0, 0
    assert faults(wav) == ["too_short"]


@pytest.mark.parametrize("n_samples", [3, 2400, 15999])
def test_less_than_a_second_is_too_short_and_nothing_else(voices, n_samples):
    assert faults(voices(1, 32000)[0, :n_samples]) == ["too_short"]
    assert faults(voices(1, 32000)[0, :16000]) == []


def test_noise_does_not_add_up_to_speech():
    windows = [falling(2, 480000, seed) for seed in range(10)]
    merged = merge_qualities([measure_quality(wav) for wav in windows])
    assert "no_speech" in find_faults(merged)


def test_clipping_is_told_however_soft_the_result(voices):
    wav = voices(1, 32000)[0].numpy()
    clipped = np.clip(wav, *np.quantile(wav, [0.05, 0.95]))
    assert faults(clipped) == faults(0.1 * clipped) == ["clipped"]


def test_clipping_of_one_side_is_told(voices):
    wav = voices(1, 32000)[0].numpy()
    assert faults(np.clip(wav, -1, np.quantile(wav, 0.9))) == ["clipped"]
    assert faults(np.clip(wav, np.quantile(wav, 0.1), 1) + 0.3) == ["clipped"]


def test_silence_around_speech_does_not_hide_clipping(voices):
    wav = voices(1, 32000)[0].numpy()
    clipped = np.clip(wav, *np.quantile(wav, [0.05, 0.95]))
    assert faults(np.pad(clipped, 160000)) == ["clipped"]


def test_sound_once_sampled_at_8_khz_is_told(voices):
    wav = voices(1, 32000)[0]
    low = AudioNormalizer(8000)(wav, 16000)
    again = AudioNormalizer(16000)(low, 8000)
    assert faults(again.numpy()) == ["band_limited"]


def test_level_is_that_of_the_loud_frames():
    tone = 0.1 * np.sin(2 * np.pi * 400 * T)
    found = measure_quality(np.concatenate([tone, np.zeros(32000)]))
    assert found.level_db == pytest.approx(-23.01, abs=0.05)
    assert found.duration_s == 4.0


def test_offset_changes_neither_level_nor_voicing(voices):
    wav = voices(1, 32000)[0].numpy()
    plain, shifted = measure_quality(wav), measure_quality(wav + 0.2)
    assert shifted.level_db == pytest.approx(plain.level_db, abs=0.1)
    assert shifted.voiced_s == pytest.approx(plain.voiced_s, abs=0.1)


def test_merged_windows_have_a_fault_when_all_have_it(voices):
    speech = measure_quality(voices(1, 32000)[0].numpy())
    silence = measure_quality(np.zeros(32000))
    assert list(find_faults(merge_qualities([silence, silence]))) == ["silent"]
    assert find_faults(merge_qualities([silence, speech])) == {}


def test_merged_share_of_clipped_samples_is_that_of_the_speech(voices):
    clipped = measure_quality(voices(1, 32000)[0].clamp(-0.1, 0.1).numpy())
    silence = measure_quality(np.zeros(32000))
    merged = merge_qualities([clipped, silence])
    assert merged.clipped == pytest.approx(clipped.clipped) != 0
    assert merge_qualities([silence, silence]).clipped == 0


def test_sound_shorter_than_a_frame_can_be_measured():
    found = measure_quality(np.ones(3, dtype=np.float32))
    assert found.duration_s == 3 / 16000 and found.voiced_s == 0


def test_sound_at_8_khz_has_no_upper_band_to_be_judged_by(voices):
    quality = measure_quality(voices(1, 32000)[0, ::2].numpy(), 8000)
    assert quality.high_db == 0.0 and quality.voiced_s > 0
    assert "band_limited" not in find_faults(quality)
