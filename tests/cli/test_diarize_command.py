"""The subcommand diarize."""

import pytest

from speechbrain_moe.cli import main
from speechbrain_moe.inference import diarization
from speechbrain_moe.inference.diarization import Segment


@pytest.fixture
def talk(monkeypatch):
    """Two people, whatever the file; what they say is tested elsewhere."""
    segments = [Segment(0.5, 2.0, "speaker_1"), Segment(2.0, 3.5, "speaker_2")]

    def tell(recognition, path, n_speakers):
        return segments[:n_speakers]

    monkeypatch.setattr(diarization, "diarize_file", tell)


def test_diarize_tells_and_writes_who_spoke_when(
    experiment, talk, tmp_path, said, capsys
):
    given = ("diarize", "talk.wav", "--model", str(experiment))
    out = tmp_path / "talk.rttm"
    found = said(*given, "--out", out)
    assert found["n_speakers"] == 2
    assert found["segments"][1] == {
        "start_s": 2.0,
        "end_s": 3.5,
        "speaker": "speaker_2",
    }
    assert len(out.read_text().splitlines()) == 2
    assert main([*given, "--n_speakers", "1"]) == 0
    assert capsys.readouterr().out == "    0.50 -     2.00 s  speaker_1\n"


def test_the_recording_is_not_written_over(experiment, talk, tmp_path, capsys):
    wav = tmp_path / "talk.wav"
    wav.write_bytes(b"sound")
    given = ("diarize", str(wav), "--model", str(experiment))
    assert main([*given, "--out", str(wav)]) == 2
    assert "is read here" in capsys.readouterr().err
    assert wav.read_bytes() == b"sound"
