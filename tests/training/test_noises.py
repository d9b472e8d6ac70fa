"""Noises: levels, repeatability, recordings instead, errors.

 * read back through SpeechBrain's own AddNoise
 * speech and folders are written here; nothing is downloaded

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
import torch
from noise_files import write_audio
from speechbrain.augment.time_domain import AddNoise

from speechbrain_moe.errors import AudioError
from speechbrain_moe.training.noises import NOISE_RMS, prepare_noises

RATE = 16000


@pytest.fixture
def speech(tmp_path):
    """Four utterances of different length and level."""
    return [
        write_audio(tmp_path / "speech" / f"{i}.wav", 0.5 + i, seed=i)
        for i in range(4)
    ]


def small_noises(folder, **changes):
    wanted = {"n_noises": 6, "duration_s": 1.0, **changes}
    return prepare_noises(folder / "noise.csv", folder / "wavs", **wanted)


def listed(csv):
    return list(pd.read_csv(csv)["wav"])


def contents(csv):
    return [Path(path).read_bytes() for path in listed(csv)]


def change_times(folder):
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_two_runs_write_the_same_noises(tmp_path, speech):
    first = small_noises(tmp_path / "a", speech_paths=speech)
    second = small_noises(tmp_path / "b", speech_paths=speech)
    assert contents(first) == contents(second)


def test_order_of_speech_does_not_change_the_noises(tmp_path, speech):
    first = small_noises(tmp_path / "a", speech_paths=speech)
    second = small_noises(tmp_path / "b", speech_paths=speech[::-1])
    assert contents(first) == contents(second)


def test_another_seed_writes_other_noises(tmp_path):
    first = small_noises(tmp_path / "a", seed=1)
    second = small_noises(tmp_path / "b", seed=2)
    assert not set(contents(first)) & set(contents(second))


def test_a_second_call_writes_nothing(tmp_path):
    small_noises(tmp_path)
    before = change_times(tmp_path)
    small_noises(tmp_path)
    assert change_times(tmp_path) == before


@pytest.mark.parametrize(
    "change", [{"seed": 5}, {"n_noises": 4}, {"duration_s": 0.5}]
)
def test_a_changed_argument_makes_the_csv_again(tmp_path, change):
    small_noises(tmp_path)
    before = change_times(tmp_path)[tmp_path / "noise.csv"]
    small_noises(tmp_path, **change)
    assert change_times(tmp_path)[tmp_path / "noise.csv"] != before


def test_no_partial_file_is_left(tmp_path, speech):
    small_noises(tmp_path, speech_paths=speech)
    assert not list(tmp_path.rglob(".*"))


def test_noises_have_one_rms_and_do_not_clip(tmp_path, speech):
    csv = small_noises(tmp_path, speech_paths=speech, n_noises=18)
    wavs = np.stack([sf.read(path)[0] for path in listed(csv)])
    # 16-bit rounding: 1e-4 of the level
    np.testing.assert_allclose(
        np.sqrt(np.mean(wavs**2, axis=1)), NOISE_RMS, rtol=1e-3
    )
    assert np.abs(wavs).max() < 0.99


def test_generated_noises_are_never_silent(tmp_path):
    csv = small_noises(tmp_path, n_noises=15, duration_s=2.0)
    wavs = np.stack([sf.read(path)[0] for path in listed(csv)])
    tenths = np.sqrt(np.mean(wavs.reshape(15, -1, RATE // 10) ** 2, axis=2))
    assert tenths.min() > 1e-3 * NOISE_RMS


def test_babble_needs_speech(tmp_path, speech):
    without = small_noises(tmp_path / "a")
    with_speech = small_noises(tmp_path / "b", speech_paths=speech)
    assert not [p for p in listed(without) if p.endswith("babble.wav")]
    assert listed(with_speech)[0].endswith("babble.wav")


def test_silent_speech_gives_finite_babble(tmp_path):
    silence = tmp_path / "speech"
    silence.mkdir()
    paths = [str(silence / f"{i}.wav") for i in range(3)]
    for path in paths:
        sf.write(path, np.zeros(RATE), RATE)
    csv = small_noises(tmp_path, speech_paths=paths, n_noises=1)
    assert np.abs(sf.read(listed(csv)[0])[0]).max() == 0


@pytest.mark.parametrize("snr_db", [0, 10])
def test_stock_add_noise_mixes_at_its_snr(tmp_path, speech, snr_db):
    csv = small_noises(tmp_path, speech_paths=speech, duration_s=3.0)
    torch.manual_seed(0)
    wavs = 0.1 * torch.randn(4, 2 * RATE)
    add_noise = AddNoise(csv, snr_low=snr_db, snr_high=snr_db)
    noisy = add_noise(wavs, torch.ones(4))
    gain = (noisy * wavs).sum(1) / (wavs**2).sum(1)
    noise = noisy - gain.unsqueeze(1) * wavs
    level = gain * wavs.norm(dim=1) / noise.norm(dim=1)
    # the noise is not exactly uncorrelated with the signal
    torch.testing.assert_close(
        20 * torch.log10(level),
        torch.full((4,), float(snr_db)),
        atol=0.5,
        rtol=0,
    )


def test_recordings_are_listed_in_place(tmp_path):
    real = tmp_path / "real"
    paths = [
        write_audio(real / name) for name in ("a.flac", "b/c.wav", "d.OPUS")
    ]
    csv = small_noises(tmp_path, noise_folder=real)
    assert listed(csv) == sorted(paths)
    assert not (tmp_path / "wavs").exists()


def test_folders_of_musan_tell_music_and_babble(tmp_path):
    for name in ("music/a", "speech/us-gov/b", "noise/free-sound/c", "d"):
        write_audio(tmp_path / f"musan/{name}.wav")
    csv = small_noises(tmp_path, noise_folder=tmp_path / "musan")
    assert kinds_of(csv) == ["noise", "music", "noise", "babble"]


def kinds_of(csv):
    return pd.read_csv(csv).kind.tolist()


def test_sounds_made_here_are_noises(tmp_path, speech):
    csv = small_noises(tmp_path / "speech", speech_paths=speech)
    assert {*kinds_of(csv)} == {"noise"}


@pytest.mark.parametrize("name", ["a", "DEMAND/a", "DEMAND/ch01/a"])
def test_noises_below_a_folder_called_speech_are_no_babble(tmp_path, name):
    folder = tmp_path / "speech/noises"
    for number in (1, 2):
        write_audio(folder / f"{name}{number}.wav")
    csv = small_noises(tmp_path, noise_folder=folder)
    assert kinds_of(csv) == ["noise"] * 2


@pytest.mark.parametrize("given", ["", "speech"])
def test_a_folder_of_speech_alone_is_babble(tmp_path, given):
    write_audio(tmp_path / "musan/speech/librivox/a.wav")
    csv = small_noises(tmp_path, noise_folder=tmp_path / "musan" / given)
    assert kinds_of(csv) == ["babble"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(AudioError, match="noise_folder=.*nowhere"):
        small_noises(tmp_path, noise_folder=tmp_path / "nowhere")


def test_a_wrong_rate_names_file_and_both_rates(tmp_path):
    write_audio(tmp_path / "real" / "x.wav", rate=8000)
    with pytest.raises(AudioError, match="x.wav has 8000 Hz, 16000 Hz"):
        small_noises(tmp_path, noise_folder=tmp_path / "real")


def test_speech_of_a_wrong_rate_is_named(tmp_path):
    speech = [
        write_audio(tmp_path / "s" / f"{i}.wav", rate=8000) for i in range(3)
    ]
    with pytest.raises(AudioError, match="wav has 8000 Hz"):
        small_noises(tmp_path, speech_paths=speech)


def test_too_little_speech_for_babble_is_refused(tmp_path, speech):
    with pytest.raises(AudioError, match="holds 2 different files"):
        small_noises(tmp_path, speech_paths=speech[:2] * 3)


@pytest.mark.parametrize("name", ["n_noises", "duration_s", "sample_rate"])
def test_numbers_must_be_positive(tmp_path, name):
    with pytest.raises(AudioError, match=f"{name}=0"):
        small_noises(tmp_path, **{name: 0})


def test_a_file_added_to_the_folder_is_noticed(tmp_path):
    write_audio(tmp_path / "real" / "a.wav")
    small_noises(tmp_path, noise_folder=tmp_path / "real")
    write_audio(tmp_path / "real" / "b.wav")
    csv = small_noises(tmp_path, noise_folder=tmp_path / "real")
    assert len(listed(csv)) == 2
