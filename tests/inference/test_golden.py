import json

import pytest
import soundfile

from speechbrain_moe.errors import InputError, PackageError
from speechbrain_moe.inference.golden import (
    GOLDEN_FILE,
    check_golden,
    write_golden,
)
from speechbrain_moe.inference.shipped import open_recognition

NAMES = [f"example_{i}.wav" for i in (1, 2, 3)]


@pytest.fixture(scope="module")
def recognition(experiment):
    return open_recognition(experiment)


@pytest.fixture
def folder(recognition, voices, tmp_path):
    """Three recordings with their golden scores."""
    for name, wav in zip(NAMES, voices(3)):
        soundfile.write(tmp_path / name, wav.numpy(), 16000)
    write_golden(recognition, tmp_path, NAMES)
    return tmp_path


def test_golden_scores_are_those_of_verify(recognition, folder):
    found = check_golden(recognition, folder)
    assert [(row["enrol"], row["test"]) for row in found] == [
        ("example_1.wav", "example_2.wav"),
        ("example_1.wav", "example_3.wav"),
        ("example_2.wav", "example_3.wav"),
    ]
    for row in found:
        pair = folder / row["enrol"], folder / row["test"]
        score = recognition.verify(*pair, threshold=0).score
        assert row["score"] == pytest.approx(score, abs=1e-5)


def test_another_sound_or_model_is_told_by_its_score(
    recognition, folder, voices
):
    wav = voices(8, seed=3)[7].numpy()
    soundfile.write(folder / NAMES[2], wav, 16000)
    with pytest.raises(PackageError, match="example_3.wav score .* here"):
        check_golden(recognition, folder)


def test_a_damaged_file_is_refused(recognition, folder):
    content = json.loads((folder / GOLDEN_FILE).read_text())
    del content["scores"][0]["score"]
    (folder / GOLDEN_FILE).write_text(json.dumps(content))
    with pytest.raises(PackageError, match="golden.json is damaged"):
        check_golden(recognition, folder)


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"score": float("nan")}, "example_2.wav score .* here"),
        ({"enrol": 1}, "1: no such file"),
    ],
)
def test_what_no_export_writes_is_refused(recognition, folder, changed, words):
    content = json.loads((folder / GOLDEN_FILE).read_text())
    content["scores"][0] |= changed
    (folder / GOLDEN_FILE).write_text(json.dumps(content))
    with pytest.raises(InputError, match=words):
        check_golden(recognition, folder)


def test_one_recording_makes_no_golden_scores(recognition, tmp_path):
    write_golden(recognition, tmp_path, NAMES[:1])
    assert check_golden(recognition, tmp_path) is None
