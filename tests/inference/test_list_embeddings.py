import os

import numpy as np
import pytest
import soundfile

from speechbrain_moe.errors import AudioError
from speechbrain_moe.inference import list_embeddings
from speechbrain_moe.inference.list_embeddings import (
    describe_recordings,
    embed_recordings,
    forget_parts,
    parts_of,
)
from speechbrain_moe.inference.quality import Quality
from speechbrain_moe.inference.shipped import open_recognition

NAMES = [f"{i}.wav" for i in range(5)]


@pytest.fixture
def folder(tmp_path, voices):
    """Five recordings, of two rates and lengths."""
    for i, (name, wav) in enumerate(zip(NAMES, voices(5, 8000))):
        rate = 16000 if i % 2 else 8000
        soundfile.write(tmp_path / name, wav.numpy()[: 8000 - i], rate)
    return tmp_path


@pytest.fixture
def recognition(experiment):
    return open_recognition(experiment)


def test_embeddings_are_those_of_encode_files_in_batches_too(
    recognition, folder
):
    wanted = recognition.encode_files([folder / name for name in NAMES], 1)
    alone = describe_recordings(recognition, NAMES, folder)
    batched = describe_recordings(recognition, NAMES, folder, batch_size=2)
    assert alone.paths == batched.paths == NAMES
    assert np.array_equal(alone.embeddings, wanted)
    assert np.allclose(batched.embeddings, wanted, atol=1e-5)
    assert [*alone.quality] == [*Quality._fields]
    assert alone.quality["duration_s"][0] == pytest.approx(1.0)


def test_broken_and_silent_files_are_set_aside_with_the_reason(
    recognition, folder
):
    (folder / "1.wav").write_text("no sound")
    soundfile.write(folder / "3.wav", np.zeros(16000), 16000)
    found = describe_recordings(recognition, NAMES, folder, 2, True)
    assert found.paths == ["0.wav", "2.wav", "4.wav"]
    assert found.broken["1.wav"].startswith("cannot be decoded")
    assert found.broken["3.wav"].startswith("silence")
    with pytest.raises(AudioError, match="1.wav: cannot be decoded"):
        describe_recordings(recognition, NAMES, folder)


def test_a_run_that_was_broken_off_goes_on(recognition, folder, monkeypatch):
    monkeypatch.setattr(list_embeddings, "PART_SIZE", 2)
    task, seen = (recognition, NAMES, folder / "out.npz", folder), []
    describe = list_embeddings.describe_recordings

    def break_off(encoder, paths, *rest):
        seen.extend(paths)
        if "4.wav" in paths:
            raise KeyboardInterrupt
        return describe(encoder, paths, *rest)

    monkeypatch.setattr(list_embeddings, "describe_recordings", break_off)
    with pytest.raises(KeyboardInterrupt):
        embed_recordings(*task)
    monkeypatch.setattr(list_embeddings, "describe_recordings", describe)
    before = sorted(parts_of(task[2]).iterdir())
    times = [file.stat().st_mtime_ns for file in before]
    found = embed_recordings(*task)
    assert seen == NAMES and found.paths == NAMES
    assert [file.stat().st_mtime_ns for file in before] == times
    assert len(before) == 2
    forget_parts(task[2])
    assert not parts_of(task[2]).exists()


def test_a_name_that_is_not_utf8_is_set_aside(recognition, folder):
    odd = os.fsdecode(b"\xff.wav")
    found = embed_recordings(
        recognition, [odd, *NAMES], folder / "out.npz", folder
    )
    assert found.paths == NAMES
    assert found.broken == {odd: "its name is not UTF-8; rename the file"}


def test_what_others_put_beside_the_parts_is_left_there(tmp_path):
    parts = parts_of(tmp_path / "out.npz")
    parts.mkdir()
    own = ["shard_00000_of_00001.npz", ".7.shard_00000_of_00001.npz"]
    for name in (*own, "letter.txt"):
        (parts / name).touch()
    forget_parts(tmp_path / "out.npz")
    assert [file.name for file in parts.iterdir()] == ["letter.txt"]
