import os
import time

import numpy as np
import pytest
import soundfile

from speechbrain_moe.app.uploads import (
    check_recording,
    forget_old,
    forgetting,
    recording_names,
    with_names,
)
from speechbrain_moe.errors import AudioError


def test_names_stand_for_paths_that_begin_alike():
    names = {"voices/voices.sqlite": "the gallery", "voices": "the folder"}
    found = with_names("voices/voices.sqlite: damaged, voices: full", names)
    assert found == "the gallery: damaged, the folder: full"


def aged(path, age_s):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"sound")
    then = time.time() - age_s
    os.utime(path, (then, then))
    return path


def test_what_is_older_than_it_may_be_is_deleted(tmp_path):
    old = aged(tmp_path / "hash" / "a.wav", 61)
    cut = aged(tmp_path / "part", 3600)
    new = aged(tmp_path / "hash" / "b.wav", 50)
    forget_old(tmp_path, age_s=60, max_bytes=10**9)
    assert new.is_file() and not old.exists() and not cut.exists()


def test_the_oldest_go_where_there_is_too_much(tmp_path):
    paths = [aged(tmp_path / f"{age}/a.wav", age) for age in (30, 10, 20)]
    forget_old(tmp_path, age_s=60, max_bytes=10)  # of 15
    assert [path.exists() for path in paths] == [False, True, True]
    big = aged(tmp_path / "big.wav", 0)
    big.write_bytes(b"too much to keep")
    forget_old(tmp_path, age_s=60, max_bytes=10)
    assert not big.exists() and paths[1].exists() and paths[2].exists()


def test_deletion_goes_on_and_ends_with_the_page(tmp_path):
    with forgetting(tmp_path, each_s=0.01, age_s=60, max_bytes=99):
        path = aged(tmp_path / "a.wav", 61)
        end = time.monotonic() + 10
        while path.exists() and time.monotonic() < end:
            time.sleep(0.01)
        assert not path.exists()
    path = aged(tmp_path / "a.wav", 61)
    time.sleep(0.05)
    assert path.exists()


def test_long_recording_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(32000), 16000)
    assert check_recording(str(path), 2) == str(path)
    with pytest.raises(AudioError, match="a.wav: lasts 2 s, at most 1.9 s"):
        check_recording(str(path), 1.9)


@pytest.mark.parametrize("name", ["a.raw", "a.wav"])
def test_what_is_no_recording_is_left_to_the_model_to_name(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"no sound" * 99)
    assert check_recording(str(path), 1) == str(path)


def test_one_recording_in_two_places_is_named_by_both():
    names = recording_names(["/x/a.wav"] * 2, ["first voice", "second voice"])
    both = "first voice (a.wav) and second voice (a.wav)"
    assert names == {"/x/a.wav": both}
    assert recording_names(["/x/a.wav"] * 2) == {"/x/a.wav": "a.wav"}
