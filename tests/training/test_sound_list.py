"""Lists of sounds: made once, made again when needed, files refused.

 * the list under test is of three silent wavs

Authors
 * The speechbrain_moe developers 2026
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from noise_files import write_audio
from speechbrain.augment.time_domain import AddNoise

from speechbrain_moe.errors import AudioError
from speechbrain_moe.training.sound_list import (
    FORMATS,
    audio_header,
    find_audio,
    sound_key,
    write_sound_list,
    write_wav,
)

RATE = 16000


def silences(folder, n=3):
    """Yield the paths of n silent wavs, each made when asked for."""
    for i in range(n):
        yield write_wav(folder / "wavs" / f"{i}.wav", np.zeros(100), RATE)


def silence_list(folder, paths=None, **changes):
    settings = {"sources": [], "seed": 1, "sample_rate": RATE, **changes}
    key = sound_key("noises", folder, **settings)
    if paths is None:
        paths = silences(folder)
    return write_sound_list(folder / "list.csv", paths, key)


def listed(csv):
    return list(pd.read_csv(csv)["wav"])


def never():
    """Files that must not be made."""
    raise AssertionError("made again")
    yield


def test_files_are_listed_in_the_order_given(tmp_path):
    csv = silence_list(tmp_path, list(silences(tmp_path))[::-1])
    assert [Path(wav).name for wav in listed(csv)] == [
        "2.wav",
        "1.wav",
        "0.wav",
    ]


def test_a_current_list_is_left_alone(tmp_path):
    csv = silence_list(tmp_path)
    before = Path(csv).stat().st_mtime_ns
    assert silence_list(tmp_path, never()) == csv
    assert Path(csv).stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "change",
    [{"seed": 2}, {"sources": ["a.wav"]}, {"sample_rate": 8000}, {"n": 4}],
)
def test_a_changed_key_makes_the_list_again(tmp_path, change):
    silence_list(tmp_path)
    with pytest.raises(AssertionError, match="made again"):
        silence_list(tmp_path, never(), **change)


def test_a_missing_file_is_made_again(tmp_path):
    wavs = listed(silence_list(tmp_path))
    Path(wavs[2]).unlink()
    silence_list(tmp_path)
    assert Path(wavs[2]).is_file()


def test_a_failed_run_does_not_count_as_done(tmp_path):
    csv = silence_list(tmp_path)
    with pytest.raises(AssertionError):
        silence_list(tmp_path, never(), seed=2)
    assert not Path(csv).with_suffix(".json").exists()


def test_no_partial_file_is_left(tmp_path):
    silence_list(tmp_path)
    assert not list(tmp_path.rglob(".*"))


def test_a_dollar_in_the_path_is_refused(tmp_path):
    with pytest.raises(AudioError, match="takes . in a csv path"):
        silence_list(tmp_path / "a$b")


def test_every_listed_format_is_read_by_stock_add_noise(tmp_path):
    for i, suffix in enumerate(FORMATS):
        write_audio(tmp_path / "real" / f"{i}{suffix}", 1.0, seed=i)
    csv = silence_list(tmp_path, find_audio(tmp_path / "real", "folder"))
    noisy = AddNoise(csv, snr_low=0, snr_high=0)(
        torch.randn(4, RATE), torch.ones(4)
    )
    assert len(listed(csv)) == len(FORMATS)
    assert torch.isfinite(noisy).all()


def test_audio_is_found_below_the_folder_and_sorted(tmp_path):
    paths = [write_audio(tmp_path / name) for name in ("b.wav", "a/c.FLAC")]
    (tmp_path / "a" / "notes.txt").touch()
    assert find_audio(tmp_path, "folder") == sorted(paths)


def test_what_a_killed_write_left_is_not_found(tmp_path):
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    code = (
        "from pathlib import Path\n"
        "from speechbrain_moe.files import write_whole\n"
        "def write(aside):\n"
        "    aside.write_bytes(b'half a wav')\n"
        f"    {killed}\n"
        f"write_whole({str(tmp_path / '1.wav')!r}, write)"
    )
    subprocess.run([sys.executable, "-c", code])
    (left,) = tmp_path.iterdir()
    assert left.suffix == ".wav"
    path = write_audio(tmp_path / "1.wav")
    assert find_audio(tmp_path, "folder") == [path]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(AudioError, match="noise_folder=.*nowhere is not"):
        find_audio(tmp_path / "nowhere", "noise_folder")


def test_a_folder_without_audio_is_named(tmp_path):
    with pytest.raises(AudioError, match="rir_folder=.* holds no audio"):
        find_audio(tmp_path, "rir_folder")


def test_a_wrong_rate_names_file_and_both_rates(tmp_path):
    path = write_audio(tmp_path / "x.wav", rate=8000)
    with pytest.raises(AudioError, match="x.wav has 8000 Hz, 16000 Hz"):
        audio_header(path, RATE)


def test_an_unreadable_file_is_named(tmp_path):
    (tmp_path / "x.wav").write_bytes(b"no audio")
    with pytest.raises(AudioError, match="x.wav cannot be read"):
        audio_header(tmp_path / "x.wav", RATE)


def test_an_empty_file_is_named(tmp_path):
    path = write_audio(tmp_path / "x.wav", seconds=0)
    with pytest.raises(AudioError, match="x.wav is empty"):
        audio_header(path, RATE)
