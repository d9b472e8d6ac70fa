"""The subcommands verify and route."""

import json
import os
import sys

import numpy as np
import pytest
import soundfile

from speechbrain_moe.cli import main
from speechbrain_moe.inference.embedding_shards import encoder_key
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.inference.recognition import MoESpeakerRecognition
from speechbrain_moe.inference.shipped import open_recognition


@pytest.fixture
def calibration(experiment, tmp_path):
    """A calibration.json of the training's model."""
    row = {"value": 0.5, "n_errors": 40, "reason": None}
    few = {"value": None, "n_errors": 3, "reason": "3 false alarms"}
    llr = {"names": ["cosine"], "weights": [20.0], "offset": -10.0}
    content = {
        "model": encoder_key(load_encoder(experiment)),
        "calibrations": {"llr_cosine": llr},
        "thresholds": {"cosine": {"eer": row, "far1": row, "far0.1": few}},
    }
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(content))
    return path


def test_verify_says_what_python_says(experiment, files, said, calibration):
    model = ("--model", experiment, "--calibration", calibration)
    found = said("verify", *files, *model, "--prior", 0.2)
    recognition = open_recognition(experiment)
    recognition.read_calibration(calibration)
    assert found == recognition.verify(*files, prior=0.2).to_dict()
    assert found["llr"] == pytest.approx(20 * found["score"] - 10)
    assert found["same_speaker"] is (found["score"] >= 0.5)


def test_verify_prints_the_cosine_of_stock_speechbrain(experiment, files, said):
    found = said("verify", *files, "--model", experiment, "--threshold", 0.1)
    score, _ = load_encoder(experiment).verify_files(*files)
    assert found["score"] == pytest.approx(score.item(), abs=1e-5)
    assert found["threshold"] == 0.1 and found["reason"] is None


def test_several_files_enrol_and_the_last_is_the_test(experiment, files, said):
    one, other = files
    found = said("verify", one, other, one, "--model", experiment)
    assert [side["path"] for side in found["enrol"]] == files
    assert found["test"]["path"] == one


@pytest.mark.parametrize(
    "threshold, words", [(-1, "Same speaker"), (1, "Different speakers")]
)
def test_verify_answers_in_words(experiment, files, capsys, threshold, words):
    given = ["verify", *files, "--model", str(experiment)]
    assert main([*given, "--threshold", str(threshold)]) == 0
    first, *numbers = capsys.readouterr().out.splitlines()
    assert first == words
    assert [line.split()[0] for line in numbers] == ["score", "threshold"]


def test_silence_gives_no_decision_with_the_reason(
    experiment, files, tmp_path, capsys, said
):
    silence = str(tmp_path / "silence.wav")
    soundfile.write(silence, np.zeros(16000), 16000)
    model = ("--threshold", "0.2", "--model", str(experiment))
    assert main(["verify", files[0], silence, *model]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"No decision: {silence}: silence")
    found = said("verify", files[0], silence, *model)
    assert found["same_speaker"] is None and found["score"] is None
    assert found["reason"].startswith(f"{silence}: silence")


def test_an_accepted_fault_no_longer_bars_a_decision(
    experiment, voices, tmp_path, said
):
    pair = [tmp_path / f"telephone_{i}.wav" for i in range(2)]
    for path, wav in zip(pair, voices(2, 8000)):
        soundfile.write(path, wav.numpy(), 8000)
    given = ("verify", *pair, "--model", experiment, "--threshold", 0.2)
    barred = said(*given)
    faults = {*barred["test"]["faults"], *barred["enrol"][0]["faults"]}
    assert barred["same_speaker"] is None and "band_limited" in faults
    accepted = [word for fault in faults for word in ("--accept", fault)]
    assert said(*given, *accepted)["same_speaker"] in (True, False)


def test_missing_file_ends_in_one_line_on_stderr(experiment, refused):
    given = ("verify", "no.wav", "no.wav", "--model", experiment)
    assert refused(*given) == (
        "error: no.wav: no such file; correct the path\n"
    )


def test_route_gives_each_files_weights(experiment, files, said, capsys):
    found = said("route", *files, "--model", experiment)["files"]
    assert [one["path"] for one in found] == files
    recognition = open_recognition(experiment)
    for one in found:
        weights = recognition.route(one["path"])
        assert one["experts"] == pytest.approx(weights, abs=1e-4)
    assert main(["route", files[0], "--model", str(experiment)]) == 0
    assert capsys.readouterr().out.startswith(f"{files[0]}  0: ")


def test_route_goes_on_past_files_that_cannot_be_used(
    experiment, files, tmp_path, said, refused
):
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    given = ("route", text, *files, "--model", experiment)
    found = said(*given)
    assert [one["path"] for one in found["files"]] == files
    assert found["left_out"][str(text)].startswith("cannot be decoded")
    alone = refused("route", text, "--model", experiment)
    assert "text.wav: cannot be decoded" in alone


def test_route_goes_on_from_the_lines_of_a_run_that_was_cut(
    experiment, files, tmp_path, said, monkeypatch
):
    out = tmp_path / "new/experts.jsonl"
    given = ("route", *files, "--model", experiment)
    wanted = said(*given)["files"]
    assert said(*given, "--out", out) == {
        **{"out": str(out), "n_heard": 2},
        "left_out": {},
    }
    first, second = out.read_text().splitlines(keepends=True)
    row = json.loads(second)
    assert {k: row[k] for k in wanted[1]} == wanted[1]
    assert {*row} - {*wanted[1]} == {"stamp", "model"}
    out.write_text(first + second[:-9])  # as kill -9 may leave it
    heard, describe = [], MoESpeakerRecognition.describe

    def note(recognition, path, *more):
        heard.append(path)
        return describe(recognition, path, *more)

    monkeypatch.setattr(MoESpeakerRecognition, "describe", note)
    assert said(*given, "--out", out)["n_heard"] == 2
    assert heard == files[1:] and out.read_text() == first + second
    os.utime(files[0], (1, 1))  # another recording by that name
    assert said(*given, "--out", out)["n_heard"] == 2
    assert heard == [files[1], files[0]]
    assert out.read_text().startswith(second)
    assert len(out.read_text().splitlines()) == 2


def test_route_keeps_the_lines_of_files_that_are_gone(
    experiment, files, tmp_path, said
):
    out = tmp_path / "experts.jsonl"
    given = ("--model", experiment, "--out", out)
    said("route", files[0], *given)
    before = out.read_text()
    os.remove(files[0])
    said("route", files[1], *given)
    assert out.read_text().startswith(before)
    assert len(out.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    "line, words",
    [
        (
            '{"path": "a.wav", "stamp": [], "model": "x"}\n',
            "holds lines of another model",
        ),
        ("a,b,c\n", "line 1 is none that route has written"),
        ('["path"]\n', "line 1 is none that route has written"),
        ("notes of my own", "the last line is none that route has written"),
    ],
)
def test_route_keeps_what_is_not_its_own(
    experiment, files, tmp_path, refused, line, words
):
    out = tmp_path / "out.jsonl"
    out.write_text(line)
    said = refused("route", *files, "--model", experiment, "--out", out)
    assert words in said and out.read_text() == line


def test_a_calibration_that_is_not_there_is_named(files, refused):
    given = ("verify", *files, "--model", "nowhere")
    said = refused(*given, "--calibration", "missing.json")
    assert said == (
        "error: missing.json: no such file; correct --calibration\n"
    )


def test_route_answers_where_stderr_is_closed(
    experiment, files, tmp_path, said, monkeypatch
):
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    monkeypatch.setattr(sys, "stderr", None)
    found = said("route", files[0], text, "--model", experiment)
    sys.stderr.close()
    assert [*found["left_out"]] == [str(text)]


def test_route_goes_on_where_the_shell_names_its_output_too(
    experiment, files, tmp_path, said
):
    out = tmp_path / "experts.txt"
    given = ("route", files[0], "--model", experiment, "--out", out)
    said(*given)
    before = out.read_text()
    more = ("route", *files, out, *given[2:])
    found = said(*more)
    assert (found["n_heard"], found["left_out"]) == (2, {})
    assert out.read_text().startswith(before)
    out.write_text("")  # as a run that was broken off at once leaves it
    assert said(*more)["n_heard"] == 2


def test_route_does_not_write_to_a_list_that_it_reads(files, tmp_path, refused):
    path = tmp_path / "list.txt"
    path.write_text("\n".join(files))
    for given in ([path], [files[0], f"@{path}"]):
        said = refused("route", *given, "--out", path, "--model", "nowhere")
        assert "list.txt is read here" in said
