import os

import numpy as np
import pytest
import soundfile
import torch
from speechbrain.dataio.preprocess import AudioNormalizer

from speechbrain_moe.errors import AudioError, InputError
from speechbrain_moe.inference import recordings
from speechbrain_moe.inference.recordings import read_windows


@pytest.fixture
def normalizer():
    return AudioNormalizer(16000)


@pytest.fixture
def read(tmp_path, normalizer):
    """Write samples to a file of some kind and read it whole."""

    def run(wav, rate=16000, name="a.wav", **kwargs):
        soundfile.write(tmp_path / name, np.asarray(wav), rate, **kwargs)
        return torch.cat(list(read_windows(tmp_path / name, normalizer)))

    return run


@pytest.fixture
def wav(voices):
    return voices(1, 16000)[0]


@pytest.mark.parametrize(
    "name, subtype, atol",
    [
        ("a.wav", "FLOAT", 0),
        ("a.wav", "PCM_16", 1e-4),
        ("a.wav", "PCM_U8", 1e-2),
        ("a.flac", "PCM_16", 1e-4),
    ],
)
def test_samples_are_those_written(read, wav, name, subtype, atol):
    found = read(wav, name=name, subtype=subtype)
    assert found.dtype == torch.float32
    assert torch.allclose(found, wav, rtol=0, atol=atol)


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
def test_other_rates_are_resampled_as_stock_does(read, rate):
    t = np.arange(rate) / rate
    found = read(0.5 * np.sin(2 * np.pi * 440 * t), rate, subtype="FLOAT")
    wanted = 0.5 * torch.sin(2 * torch.pi * 440 * torch.arange(16000) / 16000)
    assert len(found) == 16000
    assert (found - wanted)[200:-200].abs().max() < 2e-3


def test_six_channels_are_averaged(read, wav):
    channels = np.stack([wav.numpy() * k for k in range(6)], axis=1)
    found = read(channels / 6, subtype="FLOAT")
    assert torch.allclose(found, wav * 2.5 / 6, atol=1e-6)


def test_channels_that_cancel_each_other_are_named(read, wav):
    pair = np.stack([wav, -0.95 * wav], axis=1)
    with pytest.raises(AudioError, match="a.wav: its 2 channels cancel"):
        read(pair)


def test_unlike_channels_do_not_count_as_cancelled(read, voices):
    assert len(read(voices(2, 16000).T)) == 16000
    assert not read(np.zeros((1600, 2))).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_refused(read, bad):
    with pytest.raises(AudioError, match="a.wav: holds NaN or Inf"):
        read([0.0, bad, 0.1], subtype="FLOAT")


def test_samples_too_large_to_be_sound_are_refused(read):
    with pytest.raises(AudioError, match="a.wav: holds samples of 1e[+]20"):
        read([0.0, 1e20, 0.1], subtype="FLOAT")


KINDS = {
    "a.wav": {},
    "a.aiff": {},
    "a.au": {},
    "a.w64": {},
    "a.rf64": {"format": "RF64"},
    "a.flac": {},
    "a.ogg": {},
    "a.opus": {"format": "OGG", "subtype": "OPUS"},
    "a.mp3": {},
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("share", [0.4, 0.8])
def test_truncated_file_is_refused(tmp_path, read, voices, name, share):
    normalizer, wav = AudioNormalizer(16000), voices(1, 64000)[0]
    assert len(read(wav, name=name, **KINDS[name])) == 64000
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(AudioError, match=f"{name}: (is trunc|cannot be dec)"):
        list(read_windows(tmp_path / name, normalizer))


def test_truncated_wav_is_named_with_its_sizes(tmp_path, read, wav, normalizer):
    read(wav)
    path = tmp_path / "a.wav"
    path.write_bytes(path.read_bytes()[:-8000])
    with pytest.raises(AudioError, match="truncated, 24036 bytes of 32036"):
        next(read_windows(path, normalizer))


# libsndfile takes what follows the sound of a w64 for sound
@pytest.mark.parametrize("name", sorted(set(KINDS) - {"a.w64"}))
def test_what_follows_the_sound_does_no_harm(tmp_path, read, wav, name):
    whole = read(wav, name=name, **KINDS[name])
    with open(tmp_path / name, "ab") as file:
        file.write(b"TAG" + bytes(125))
    found = list(read_windows(tmp_path / name, AudioNormalizer(16000)))
    assert torch.equal(torch.cat(found), whole)


@pytest.mark.parametrize(
    "riff, data",
    [(0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFF024, 0x7FFFF000)],
    ids=["ffmpeg", "SoX"],
)
def test_wav_of_a_writer_that_knew_no_size_is_read(
    tmp_path, read, wav, normalizer, riff, data
):
    whole = read(wav)
    path = tmp_path / "a.wav"
    content = bytearray(path.read_bytes())
    content[4:8] = riff.to_bytes(4, "little")
    content[40:44] = data.to_bytes(4, "little")
    path.write_bytes(content)
    found = torch.cat(list(read_windows(path, normalizer)))
    assert torch.equal(found, whole)


def test_wav_without_its_byte_of_padding_is_read(tmp_path, read, normalizer):
    read([0.1] * 1601, subtype="PCM_U8")
    path = tmp_path / "a.wav"
    assert path.stat().st_size % 2 == 0
    path.write_bytes(path.read_bytes()[:-1])
    assert sum(map(len, read_windows(path, normalizer))) == 1601


def test_wav_without_samples_is_refused(read):
    with pytest.raises(AudioError, match="a.wav: holds no samples"):
        read([])


@pytest.mark.parametrize("content", [b"", b"no audio", b"RIFF"])
def test_file_that_is_no_audio_is_refused(tmp_path, normalizer, content):
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(AudioError, match="x.wav: cannot be decoded"):
        next(read_windows(tmp_path / "x.wav", normalizer))


def test_missing_file_and_folder_are_refused_by_name(tmp_path, normalizer):
    with pytest.raises(AudioError, match="nowhere.wav: no such file"):
        next(read_windows(tmp_path / "nowhere.wav", normalizer))
    with pytest.raises(AudioError, match="is a folder"):
        next(read_windows(str(tmp_path), normalizer))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_refused_as_what_it_is(tmp_path, normalizer):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(AudioError, match="a.wav: is a device or a pipe"):
        next(read_windows(tmp_path / "a.wav", normalizer))


def test_file_that_may_not_be_read_is_refused(
    read, wav, tmp_path, normalizer, monkeypatch
):
    read(wav)
    monkeypatch.setattr(recordings.os, "access", lambda path, how: False)
    with pytest.raises(AudioError, match="a.wav: may not be read"):
        next(read_windows(tmp_path / "a.wav", normalizer))


def test_name_that_the_system_refuses_is_an_audio_error(normalizer):
    with pytest.raises(AudioError, match="aaa: "):
        next(read_windows("a" * 5000, normalizer))


@pytest.mark.parametrize("given", [None, 3, b"a.wav", np.zeros(16000)])
def test_what_is_no_path_is_refused_by_its_type(normalizer, given):
    with pytest.raises(InputError, match=type(given).__name__):
        next(read_windows(given, normalizer))


@pytest.mark.parametrize("rate, why", [(4000, "4000 Hz"), (44101, "no short")])
def test_rates_that_cannot_be_resampled_are_refused(read, rate, why):
    with pytest.raises(AudioError, match=why):
        read(np.ones(rate), rate)


def test_long_file_comes_in_equal_windows(tmp_path, normalizer, monkeypatch):
    monkeypatch.setattr(recordings, "MAX_WINDOW_S", 0.1)
    whole = torch.arange(1, 4002) / 5000
    soundfile.write(tmp_path / "a.wav", whole.numpy(), 16000, subtype="FLOAT")
    found = list(read_windows(tmp_path / "a.wav", normalizer))
    assert [len(window) for window in found] == [1333, 1334, 1334]
    assert torch.equal(torch.cat(found), whole)


def test_length_that_the_header_does_not_tell_is_refused(
    tmp_path, read, wav, normalizer
):
    """As a FLAC that was written to a pipe: libsndfile says 2 ** 63 - 1."""
    read(wav, name="a.flac")
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] &= 0xF0  # 36 bits of the first block: number of samples
    content[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(content)
    with pytest.raises(AudioError, match="a.flac: its header does not tell"):
        next(read_windows(tmp_path / "a.flac", normalizer))


def test_more_channels_than_memory_has_room_for_are_refused(read):
    with pytest.raises(AudioError, match="a.ogg: has 255 channels, at most"):
        read(np.zeros((1600, 255)), name="a.ogg")


def test_samples_without_a_header_are_refused(tmp_path, normalizer):
    (tmp_path / "a.raw").write_bytes(bytes(32000))
    with pytest.raises(AudioError, match="a.raw: samples without a header"):
        next(read_windows(tmp_path / "a.raw", normalizer))
