"""Rooms: alignment, decay, repeatability, recordings instead, errors.

 * read back through SpeechBrain's own AddReverb
 * a few rooms are simulated once, for all tests

Authors
 * The speechbrain_moe developers 2026
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
import torch
from noise_files import write_audio
from speechbrain.augment.time_domain import AddReverb

from speechbrain_moe.errors import AudioError
from speechbrain_moe.training.rooms import LEAD_S, RT60_S, prepare_rooms

RATE = 16000


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    """Eight simulated responses and their csv."""
    folder = tmp_path_factory.mktemp("rooms")
    csv = prepare_rooms(folder / "rooms.csv", folder / "wavs", n_rooms=8)
    return csv, [sf.read(path)[0] for path in listed(csv)]


def listed(csv):
    return list(pd.read_csv(csv)["wav"])


def contents(csv):
    return [Path(path).read_bytes() for path in listed(csv)]


def test_two_runs_write_the_same_rooms(tmp_path, rooms):
    again = prepare_rooms(tmp_path / "rooms.csv", tmp_path / "w", n_rooms=2)
    assert contents(again) == contents(rooms[0])[:2]


def test_rooms_begin_with_the_direct_sound(rooms):
    lead = round(LEAD_S * RATE)
    for rir in rooms[1]:
        assert abs(rir[lead]) > 0.25
        assert np.abs(rir[: lead // 2]).max() < 0.1


def test_rooms_peak_at_one_and_end_in_time(rooms):
    for rir in rooms[1]:
        assert np.abs(rir).max() == pytest.approx(1.0, abs=1e-4)
        assert len(rir) <= 0.6 * RATE
        assert abs(rir[-1]) >= 0.9e-3


def test_rooms_decay_within_the_stated_rt60(rooms):
    from pyroomacoustics.experimental import measure_rt60

    rt60_s = [measure_rt60(rir, RATE, decay_db=20) for rir in rooms[1]]
    # the end cut at 0.6 s and the direct sound shorten what is measured
    assert min(rt60_s) > 0.7 * RT60_S[0]
    assert max(rt60_s) < 1.1 * RT60_S[1]
    assert max(rt60_s) > 2 * min(rt60_s)


def test_simulation_restores_the_constants_of_pyroomacoustics(tmp_path):
    import pyroomacoustics as pra

    names = ("num_threads", "rir_hpf_enable")
    before = [pra.constants.get(name) for name in names]
    prepare_rooms(tmp_path / "rooms.csv", tmp_path / "wavs", n_rooms=1)
    assert [pra.constants.get(name) for name in names] == before


def test_stock_add_reverb_keeps_length_and_mean_level(rooms):
    torch.manual_seed(0)
    wavs = 0.1 * torch.randn(4, 2 * RATE)
    reverberated = AddReverb(rooms[0])(wavs)
    assert reverberated.shape == wavs.shape
    torch.testing.assert_close(
        reverberated.abs().mean(1), wavs.abs().mean(1), rtol=1e-3, atol=0
    )


def test_missing_pyroomacoustics_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyroomacoustics", None)
    with pytest.raises(ImportError, match=r'"speechbrain-moe\[train\]"'):
        prepare_rooms(tmp_path / "rooms.csv", tmp_path / "wavs")


def test_a_folder_without_audio_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(AudioError, match="rir_folder=.*empty"):
        prepare_rooms(
            tmp_path / "r.csv", tmp_path / "w", rir_folder=tmp_path / "empty"
        )


def test_mono_responses_are_listed_in_place(tmp_path):
    path = write_audio(tmp_path / "real" / "mono.wav", 0.5)
    csv = prepare_rooms(
        tmp_path / "rooms.csv", tmp_path / "r", rir_folder=tmp_path / "real"
    )
    assert listed(csv) == [path]


def test_noises_among_real_responses_are_no_rooms(tmp_path):
    real = tmp_path / "RIRS_NOISES"
    room = write_audio(real / "real_rirs_isotropic_noises/type1_rir_1.wav", 0.5)
    for name in (
        "pointsource_noises/free-sound-0001",
        "real_rirs_isotropic_noises/RVB2014_type1_noise_1_1",
    ):
        write_audio(real / f"{name}.wav", 3.0)
    csv = prepare_rooms(tmp_path / "r.csv", tmp_path / "r", rir_folder=real)
    assert listed(csv) == [room]
    alone = real / "pointsource_noises"
    with pytest.raises(AudioError, match="holds noises alone"):
        prepare_rooms(tmp_path / "n.csv", tmp_path / "n", rir_folder=alone)


def test_stereo_responses_become_their_first_channel(tmp_path):
    path = write_audio(tmp_path / "real" / "stereo.wav", 0.5, channels=2)
    csv = prepare_rooms(
        tmp_path / "rooms.csv", tmp_path / "r", rir_folder=tmp_path / "real"
    )
    np.testing.assert_array_equal(
        sf.read(listed(csv)[0])[0], sf.read(path)[0][:, 0]
    )


@pytest.mark.parametrize("name", ["n_rooms", "sample_rate"])
def test_numbers_must_be_positive(tmp_path, name):
    with pytest.raises(AudioError, match=f"{name}=0"):
        prepare_rooms(tmp_path / "r.csv", tmp_path / "w", **{name: 0})
