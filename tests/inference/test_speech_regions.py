import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from speechbrain_moe.errors import AudioError, MissingPackageError
from speechbrain_moe.inference import recordings
from speechbrain_moe.inference.speech_regions import find_speech, load_vad

RECIPE = Path(__file__).parents[2] / "recipes" / "VoxCeleb" / "moe_ecapa"


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """A file of 22 050 Hz: a second of silence around each sentence."""
    pytest.importorskip("silero_vad")
    pytest.importorskip("espeakng_loader")
    speaker = runpy.run_path(RECIPE / "speak.py")["Speaker"]()
    rate, parts, ends = speaker.rate_hz, [], []
    for text, voice in (
        ("good morning everybody", "en-us+m3"),
        ("never again would they walk there alone", "en-us+f2"),
    ):
        parts += [np.zeros(rate), speaker(text, voice)]
        ends.append(sum(map(len, parts)) / rate)
    path = tmp_path_factory.mktemp("spoken") / "two sentences.wav"
    soundfile.write(path, np.concatenate([*parts, np.zeros(rate)]), rate)
    return path, ends


def test_speech_is_found_where_it_is(spoken):
    path, ends = spoken
    regions = find_speech(path)
    assert regions[0].start_s == pytest.approx(1.0, abs=0.15)
    second = [r for r in regions if r.start_s > ends[0] + 0.5]
    assert second[0].start_s == pytest.approx(ends[0] + 1, abs=0.15)
    assert second[-1].end_s == pytest.approx(ends[1], abs=0.15)


def test_regions_are_the_same_however_the_file_is_read(
    spoken, tmp_path, monkeypatch
):
    # Resampled window by window, the edges would differ a little
    wav, _ = soundfile.read(spoken[0])
    path = tmp_path / "a.wav"
    soundfile.write(path, wav, 16000)
    whole = find_speech(path)
    monkeypatch.setattr(recordings, "MAX_WINDOW_S", 0.7)
    assert find_speech(path) == whole != []


def test_speech_up_to_the_end_ends_with_the_file(spoken, tmp_path, monkeypatch):
    # Each window is resampled to whole samples, rounded up
    monkeypatch.setattr(recordings, "MAX_WINDOW_S", 0.05)
    wav, rate = soundfile.read(spoken[0])
    path = tmp_path / "cut.wav"
    soundfile.write(path, wav[: round((spoken[1][1] - 0.4) * rate)], rate)
    assert find_speech(path)[-1].end_s == soundfile.info(path).duration


def test_nobody_speaks_in_silence_and_in_noise(spoken, tmp_path):
    path = tmp_path / "quiet.wav"
    noise = 0.01 * np.random.default_rng(0).standard_normal(48001)
    soundfile.write(path, np.concatenate([np.zeros(16000), noise]), 16000)
    assert find_speech(path) == []


def test_torch_keeps_its_threads(monkeypatch):
    pytest.importorskip("silero_vad")
    before = torch.get_num_threads()
    for name in [m for m in sys.modules if m.startswith("silero_vad")]:
        monkeypatch.delitem(sys.modules, name)
    torch.set_num_threads(before + 1)
    try:
        load_vad()
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("package", ["silero_vad", "onnxruntime"])
def test_missing_package_is_named_with_its_pip_line(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError) as caught:
        load_vad()
    assert f"needs {package}: pip install" in str(caught.value)
    assert "speechbrain-moe[diarize]" in str(caught.value)


def test_file_that_cannot_be_used_is_named(tmp_path):
    with pytest.raises(AudioError, match="is a folder"):
        find_speech(tmp_path)
