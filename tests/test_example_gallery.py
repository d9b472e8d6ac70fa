"""The gallery's example runs, on made-up voices and a tiny package."""

import json
import runpy
import sys
from pathlib import Path

import pytest
import soundfile

from speechbrain_moe.inference.embedding_shards import encoder_key
from speechbrain_moe.inference.export import export_package, load_encoder
from speechbrain_moe.inference.gallery import Gallery
from speechbrain_moe.inference.manifest import sign_package

EXAMPLE = Path(__file__).parents[1] / "examples" / "gallery.py"


@pytest.fixture
def package(experiment, tmp_path):
    """A package with a calibration."""
    package = export_package(experiment, tmp_path / "package")
    row = {"value": 0.5, "n_errors": 40, "reason": None}
    step = {"names": ["cosine"], "weights": [8.0], "offset": -4.0}
    content = {
        "model": encoder_key(load_encoder(experiment)),
        "calibrations": {"llr_cosine": step},
        "thresholds": {"cosine": dict.fromkeys(("eer", "far1", "far0.1"), row)},
    }
    (package / "calibration.json").write_text(json.dumps(content))
    sign_package(package)
    return package


def test_voice_that_was_enrolled_is_named(
    package, voices, tmp_path, monkeypatch, capsys
):
    files = [tmp_path / name for name in ("ann.wav", "bob.wav")]
    for path, wav in zip(files, voices(2, 32000)):
        soundfile.write(path, wav.numpy(), 16000, subtype="FLOAT")
    folder = tmp_path / "gallery"
    given = [EXAMPLE, folder, *files, files[1], package]
    monkeypatch.setattr(sys, "argv", list(map(str, given)))
    runpy.run_path(str(EXAMPLE))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["enrolled: Ann, Bob", f"{files[1]}: Bob"]
    assert lines[2].startswith("  Bob: cosine 1.000, wanted 0.586")
    assert Gallery(folder).names() == ["Ann"]
    assert (folder / "voices.csv").read_text().count("\n") == 3
