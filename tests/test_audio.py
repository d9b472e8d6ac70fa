import io

import numpy as np
import pytest
import soundfile
import torch

from speechbrain_moe.audio import read_audio
from speechbrain_moe.errors import AudioError, InputError


@pytest.fixture
def write(tmp_path):
    """Write samples to a file; returns its path."""

    def make(samples, name="a.wav", rate=16000, **settings):
        soundfile.write(tmp_path / name, samples, rate, **settings)
        return tmp_path / name

    return make


@pytest.fixture
def ramp():
    return np.linspace(-0.9, 0.9, 2000)


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_samples_come_back_as_written(write, ramp, name):
    wav = read_audio(write(ramp, name), 16000)
    assert wav.dtype == torch.float32 and wav.shape == (2000,)
    assert np.allclose(wav, ramp, atol=1e-4)


@pytest.mark.parametrize(
    "name, settings",
    [
        ("a.ogg", {}),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}),
    ],
)
def test_lossy_formats_are_read_too(write, name, settings):
    tone = 0.5 * np.sin(np.arange(16000) * 0.1)
    wav = read_audio(write(tone, name, **settings), 16000)
    assert wav.shape == (16000,)
    assert wav[4000:12000].std() == pytest.approx(tone.std(), rel=0.1)


def test_channels_are_averaged(write, ramp):
    stereo = np.stack([ramp, 0.5 * ramp], axis=1)
    wav = read_audio(write(stereo, subtype="FLOAT"), 16000)
    assert np.allclose(wav, 0.75 * ramp, atol=1e-6)


def test_a_part_is_read_from_its_start(write, ramp):
    path = write(ramp, subtype="FLOAT")
    wav = read_audio(path, 16000, start=500, n_samples=100)
    assert np.allclose(wav, ramp[500:600], atol=1e-6)


def test_a_part_ends_where_the_file_ends(write, ramp):
    path = write(ramp, subtype="FLOAT")
    wav = read_audio(str(path), 16000, start=1900, n_samples=1000)
    assert np.allclose(wav, ramp[1900:], atol=1e-6)


def opened(path):
    """The file in memory, as it comes out of an archive."""
    file = io.BytesIO(path.read_bytes())
    file.name = path.name
    return file


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_an_open_file_is_read_as_its_path_is(write, ramp, name):
    path = write(ramp, name)
    found = read_audio(opened(path), 16000, start=500, n_samples=100)
    assert torch.equal(found, read_audio(path, 16000, 500, 100))


def test_a_broken_open_file_is_refused_by_name(tmp_path):
    (tmp_path / "b.wav").write_bytes(b"no sound at all")
    with pytest.raises(AudioError, match="^b.wav: cannot be decoded"):
        read_audio(opened(tmp_path / "b.wav"), 16000)


def test_a_part_past_the_end_is_refused_by_name(write, ramp):
    with pytest.raises(AudioError, match="a.wav: .*replace it"):
        read_audio(write(ramp), 16000, start=2500, n_samples=10)


@pytest.mark.parametrize("name", ["nowhere.wav", "."])
def test_missing_file_and_folder_are_refused_by_name(tmp_path, name):
    with pytest.raises(AudioError, match=r"no such file; correct the path"):
        read_audio(tmp_path / name, 16000)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound at all" * 99])
def test_broken_file_is_refused_by_name(tmp_path, content):
    (tmp_path / "b.wav").write_bytes(content)
    with pytest.raises(AudioError, match="b.wav: cannot be decoded"):
        read_audio(tmp_path / "b.wav", 16000)


@pytest.mark.parametrize("rate", [8000, 44100])
def test_other_sample_rate_is_refused_with_both_rates(write, ramp, rate):
    with pytest.raises(AudioError, match=f"a.wav: has {rate} Hz, wanted 16000"):
        read_audio(write(ramp, rate=rate), 16000)


def test_file_without_samples_is_refused_by_name(write):
    with pytest.raises(AudioError, match="a.wav: holds no samples"):
        read_audio(write(np.zeros(0)), 16000)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_inf_are_refused_by_name(write, ramp, value):
    ramp[700] = value
    with pytest.raises(AudioError, match="a.wav: holds NaN or Inf"):
        read_audio(write(ramp, subtype="FLOAT"), 16000)


def test_audio_errors_are_input_errors():
    assert issubclass(AudioError, InputError)
    assert issubclass(InputError, ValueError)
