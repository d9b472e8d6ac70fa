"""The examples run, from top to bottom, on small made-up data."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


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
    cosine = {"thresholds": {"eer": {"value": 0.5}}}
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
