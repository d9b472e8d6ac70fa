"""Recordings in memory, and crops of them at any speed."""

import numpy as np
import pytest
import soundfile
import torch

from speechbrain_moe.errors import AudioError
from speechbrain_moe.training.speech_memory import Speech, load_speech, play

N_SAMPLES = 800  # of a crop
HEARD = torch.tensor(1 / 32767)  # a step of 16 bits


def speech_of(*wavs):
    """Recordings in memory."""
    lengths = torch.tensor([len(wav) for wav in wavs])
    samples = (32767 * torch.cat(wavs)).round().short()
    return Speech(samples, lengths.cumsum(0) - lengths, lengths)


def sine(hz, n_samples=16000):
    return 0.5 * torch.sin(2 * torch.pi * hz / 16000 * torch.arange(n_samples))


def play_one(wav, share=0.0, speed=1.0, n_samples=N_SAMPLES):
    """A crop of a recording that stands between others."""
    speech = speech_of(torch.ones(50), wav, -torch.ones(60))
    numbers = torch.tensor([share]), torch.tensor([speed])
    return play(speech, torch.tensor([1]), *numbers, n_samples)[0]


def test_loaded_speech_is_that_of_the_files_in_their_order(tmp_path):
    paths, wavs = [], []
    for i, n_samples in enumerate((300, 1, 4000)):
        wavs.append(np.random.default_rng(i).uniform(-1, 1, n_samples))
        paths.append(str(tmp_path / f"{i}.wav"))
        soundfile.write(paths[-1], wavs[-1], 16000)
    speech = load_speech(paths, 16000, "cpu")
    assert speech.samples.dtype == torch.int16
    assert speech.starts.tolist() == [0, 300, 301]
    assert speech.lengths.tolist() == [300, 1, 4000]
    found = speech.samples.numpy() / 32767
    assert np.abs(found - np.concatenate(wavs)).max() < 2 / 32767


@pytest.mark.parametrize("broken", ["text", "missing", "8000 Hz"])
def test_a_file_that_cannot_be_used_is_named(tmp_path, broken):
    paths = [str(tmp_path / f"{name}.wav") for name in ("good", "bad")]
    soundfile.write(paths[0], np.zeros(100), 16000)
    if broken == "8000 Hz":
        soundfile.write(paths[1], np.zeros(100), 8000)
    elif broken == "text":
        (tmp_path / "bad.wav").write_text("no audio")
    with pytest.raises(AudioError, match="bad.wav: "):
        load_speech(paths, 16000, "cpu")


@pytest.mark.parametrize("share, start", [(0.0, 0), (0.5, 350), (1.0, 700)])
def test_a_crop_as_recorded_is_the_recording(share, start):
    wav = 2 * torch.rand(1500) - 1
    found = play_one(wav, share)
    wanted = wav[start : start + N_SAMPLES]
    assert found.dtype == torch.float32
    assert (found - wanted).abs().max() <= HEARD


def test_a_short_recording_starts_again():
    wav = 2 * torch.rand(300) - 1
    wanted = wav.repeat(3)[:N_SAMPLES]
    assert (play_one(wav, share=0.7) - wanted).abs().max() <= HEARD


@pytest.mark.parametrize("speed", [0.72, 1.1, 1.38, 2.0])
def test_a_tone_sounds_higher_by_the_speed_and_as_loud(speed):
    found = play_one(sine(1000, 40000), 0.3, speed, 16000)
    peak = int(torch.fft.rfft(found).abs().argmax())  # 1 Hz a bin
    assert peak == pytest.approx(1000 * speed, abs=1)
    loudness = found.square().mean().sqrt()
    assert loudness.item() == pytest.approx(0.5 / 2**0.5, rel=0.01)


@pytest.mark.parametrize("speed, hz", [(1.38, 7500), (2.0, 6000), (2.0, 7000)])
def test_what_would_pass_the_nyquist_frequency_is_taken_off(speed, hz):
    found = play_one(sine(hz, 40000), 0.0, speed, 16000)
    assert found.square().mean() < 0.01 * sine(hz).square().mean()


def test_a_fast_crop_ends_where_its_recording_does():
    wav = torch.linspace(-0.9, 0.9, 1500)
    found = play_one(wav, share=1.0, speed=1.5, n_samples=600)
    # Every other sample is one of the recording's; at the end it starts again
    assert torch.allclose(found[:-10:2], wav[600:-15:3], atol=1e-3)


def test_each_row_is_played_from_its_own_recording_at_its_own_speed():
    wavs = [sine(500), sine(800), sine(2000)]
    rows, shares = torch.tensor([2, 0, 1, 0]), torch.rand(4)
    speeds = torch.tensor([1.0, 1.3, 0.8, 0.9])
    together = play(speech_of(*wavs), rows, shares, speeds, N_SAMPLES)
    for found, row, share, speed in zip(together, rows, shares, speeds):
        alone = play_one(wavs[row], share.item(), speed.item())
        assert torch.allclose(found, alone, atol=1e-6)
