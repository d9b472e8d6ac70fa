"""The examples run, from top to bottom.

Those on speech with the weights that ship, and the recordings that come with
them: two of one person, one of another.
"""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechbrain_moe.inference.gallery import Gallery
from speechbrain_moe.inference.shipped import open_recognition, shipped_package

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def recordings():
    return sorted(shipped_package().glob("example_*.wav"))


@pytest.fixture
def printed(monkeypatch, capsys):
    """Run an example as a program; give the lines it printed."""

    def run(name, *given):
        monkeypatch.setattr(sys, "argv", [name, *map(str, given)])
        runpy.run_path(str(EXAMPLES / name))
        return capsys.readouterr().out.splitlines()

    return run


def test_two_recordings_are_compared_and_the_route_is_read(recordings, printed):
    lines = printed("verify.py", *recordings[:2])
    assert lines[0] == "decision: same speaker"
    assert lines[-1].startswith("the routes have ")
    assert printed("verify.py", *recordings[1:])[0] != lines[0]


def test_silence_has_a_reason_and_no_route(recordings, printed, tmp_path):
    soundfile.write(tmp_path / "none.wav", np.zeros(16000), 16000)
    lines = printed("verify.py", tmp_path / "none.wav", recordings[0])
    assert lines[0] == "decision: none" and "silence" in lines[1]
    assert lines[2] == "  score: -"
    assert lines[-1].startswith(f"{recordings[0]}: experts ")


def test_threshold_is_chosen_by_a_list_of_trials(recordings, printed, tmp_path):
    pytest.importorskip("matplotlib")
    a, b, c = (path.name for path in recordings)
    trials = tmp_path / "trials.txt"
    trials.write_text(f"1 {a} {b}\n0 {a} {c}\n0 {b} {c}\n")
    given = trials, recordings[0].parent, tmp_path / "scores.png"
    lines = printed("threshold.py", *given)
    assert lines[0] == "EER: 0.00 %"
    assert lines[1].startswith("eer: None ")  # errors are too few
    assert lines[-2].endswith(" 0.0% misses, 0.0% let in")
    assert lines[-1].endswith(lines[-2].split(",")[0].split()[-1])
    assert (tmp_path / "scores.png").read_bytes()[1:4] == b"PNG"


def test_known_voice_of_a_meeting_has_its_name(recordings, printed, tmp_path):
    for name in ("onnxruntime", "silero_vad"):
        pytest.importorskip(name)
    wavs = [soundfile.read(path)[0] for path in recordings]
    meeting, gallery = tmp_path / "meeting.wav", tmp_path / "gallery"
    soundfile.write(meeting, np.concatenate([wavs[0], wavs[2]] * 2), 16000)
    Gallery(gallery).enrol(open_recognition(), "Ann Lee", [recordings[0]])
    lines = printed("meeting.py", meeting, gallery)
    assert lines[0].endswith(" s  Ann Lee")
    assert {line.split(" s  ")[1] for line in lines} > {"Ann Lee"}
    rttm = meeting.with_suffix(".named.rttm").read_text().splitlines()
    assert [len(line.split()) for line in rttm] == [10] * len(lines)


@pytest.fixture
def training(tmp_path):
    """What train.py and verify.py leave, of four speakers."""
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    verified = tmp_path / "training" / "list"
    (verified / "embeddings").mkdir(parents=True)
    (tmp_path / "training" / "train_log.txt").write_text(
        "epoch: 1 - train load_0: 0.4, train load_1: 0.6\n"
    )
    lines = ["# label enrol test cosine as_norm"]
    lines += [f"{i % 2} a/s/1 b/s/1 0.{i} {i}.0" for i in range(10)]
    (verified / "scores.txt").write_text("\n".join(lines))
    cosine = {"eer": 50.0, "thresholds": {"eer": {"value": 0.5}}}
    metrics = {"list": "list.txt", "eer": 50.0, "steps": {"cosine": cosine}}
    (verified / "metrics.json").write_text(json.dumps(metrics))
    (verified / "subgroups.csv").write_text(
        "column,group,n_speakers,eer,eer_low,eer_high,note\n"
        "gender,f,4,50.0,40.0,60.0,\n"
    )
    paths = np.array([f"id{i % 4}/s/{i}.wav" for i in range(12)])
    np.savez(
        verified / "embeddings" / "shard.npz",
        embeddings=rng.normal(size=(12, 8)),
        paths=paths,
    )
    probs = rng.dirichlet([1, 1], size=12)
    np.savez(verified / "routing.npz", gate_probs=probs, paths=paths)
    return verified.parent


def test_every_picture_of_a_training_is_drawn(training, tmp_path, monkeypatch):
    given = [training, training / "list", tmp_path / "out"]
    monkeypatch.setattr(sys, "argv", ["pictures.py", *map(str, given)])
    runpy.run_path(str(EXAMPLES / "pictures.py"))
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == [
        "det.png",
        "load.png",
        "map.png",
        "routing.png",
        "scores.png",
        "subgroups.png",
    ]


def test_pictures_of_the_raw_cosine_alone_are_drawn(
    training, tmp_path, monkeypatch
):
    verified = training / "list"
    lines = [f"{i % 2} a/s/1 b/s/1 0.{i}" for i in range(10)]
    (verified / "scores.txt").write_text("\n".join(lines))
    (verified / "metrics.json").write_text('{"list": "list.txt", "eer": 50.0}')
    for name in ("subgroups.csv", "routing.npz", "embeddings/shard.npz"):
        (verified / name).unlink()
    given = [training, verified, tmp_path / "out"]
    monkeypatch.setattr(sys, "argv", ["pictures.py", *map(str, given)])
    runpy.run_path(str(EXAMPLES / "pictures.py"))
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["det.png", "load.png", "scores.png"]
