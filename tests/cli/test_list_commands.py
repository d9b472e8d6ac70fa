"""The subcommands score and calibrate."""

import json
import os
import shutil

import pytest

from speechbrain_moe.cli import main
from speechbrain_moe.inference.shipped import open_recognition
from speechbrain_moe.scoring import pairs


@pytest.fixture
def given(experiment, trial_list, monkeypatch):
    """Arguments of a list of 15 trials, in a folder of its own."""
    monkeypatch.chdir(trial_list)
    return ("trials.txt", "--audio", "audio", "--model", str(experiment))


def test_scores_are_those_of_verify_and_come_with_error_rates(
    experiment, given, trial_list, said
):
    found = said("score", *given, "--out", "scores.txt")
    assert (found["n_trials"], found["n_target"]) == (15, 3)
    assert found["n_speakers"] == 3
    low, high = found["eer_interval"]
    assert low <= found["eer"] <= high
    lines = (trial_list / "scores.txt").read_text().splitlines()
    label, enrol, test, score = lines[7].split()
    pair = [trial_list / "audio" / path for path in (enrol, test)]
    decision = open_recognition(experiment).verify(*pair, threshold=0)
    assert float(score) == pytest.approx(decision.score, abs=1e-6)
    assert label == str(int(enrol[0] == test[0]))
    assert not (trial_list / "scores.txt.parts").exists()


def test_error_rates_are_told_in_words(given, capsys):
    assert main(["score", *given]) == 0
    out = capsys.readouterr().out
    assert out.startswith("15 trials, 3 of one speaker, between 3 speakers\n")
    assert "  EER " in out and "minDCF(0.05)" in out


def test_pairs_without_labels_are_scored(given, trial_list, said, capsys):
    (trial_list / "pairs.txt").write_text("a/s/0.wav b/s/1.wav\n")
    rest = given[1:]
    (score,) = said("score", "pairs.txt", *rest)["cosine"]
    assert main(["score", "pairs.txt", *rest]) == 0
    assert capsys.readouterr().out == f"a/s/0.wav b/s/1.wav {score:.6f}\n"


def test_every_broken_file_of_the_list_is_named(given, trial_list, refused):
    for name in ("a/s/0.wav", "b/s/1.wav"):
        (trial_list / "audio" / name).write_text("no sound")
    error = refused("score", *given)
    assert "2 of 6 files cannot be used" in error
    assert "audio/a/s/0.wav: cannot be decoded" in error
    assert "audio/b/s/1.wav: cannot be decoded" in error


def test_a_calibration_gives_verify_a_probability(
    given, trial_list, voices, said
):
    lines = (trial_list / "trials.txt").read_text()
    (trial_list / "often.txt").write_text(7 * lines)
    often = "often.txt", *given[1:]
    found = said("calibrate", *often, "--out", "calibration.json")
    assert [*found["thresholds"]] == ["eer", "far1", "far0.1"]
    pair = ["audio/a/s/0.wav", "audio/a/s/1.wav"]
    model = (*given[3:], "--calibration", "calibration.json")
    decision = said("verify", *pair, *model)
    assert 0 < decision["probability"] < 1
    assert "no threshold eer" in decision["reason"]
    scored = said("score", *given, "--calibration", "calibration.json")
    assert len(scored["llr"]) == 15


def test_a_calibration_of_few_trials_gives_none_and_says_so(
    given, said, capsys
):
    assert main(["calibrate", *given, "--out", "few.json"]) == 0
    assert "  llr      refused: 3 trials of one" in capsys.readouterr().out
    pair = ["audio/a/s/0.wav", "audio/a/s/1.wav", *given[3:]]
    decision = said("verify", *pair, "--calibration", "few.json")
    assert decision["probability"] is None


def test_a_calibrated_copy_of_a_package_is_written(
    experiment, given, trial_list, said
):
    said("export", experiment, "package")
    found = said("calibrate", *given[:3], "--model", "package", "--out", "mine")
    assert found["out"] == "mine"
    said("verify-package", "mine")
    stored = json.loads((trial_list / "mine/calibration.json").read_text())
    assert stored["list"] == "trials.txt" and stored["n_trials"] == 15


def test_calibrate_refuses_what_it_cannot_learn_from_or_copy(
    given, trial_list, refused
):
    (trial_list / "pairs.txt").write_text("a/s/0.wav b/s/1.wav\n")
    unknown = ("pairs.txt", "--model", "nowhere", "--out", "out.json")
    assert "pairs.txt has no labels" in refused("calibrate", *unknown)
    (trial_list / "same.txt").write_text("1 a/s/0.wav a/s/1.wav\n")
    alone = refused("calibrate", "same.txt", *unknown[1:])
    assert "same.txt has labels of one kind alone" in alone
    training = refused("calibrate", *given, "--out", "folder")
    assert "is no package" in training


def test_scores_of_one_class_come_without_error_rates(
    given, trial_list, said, capsys
):
    (trial_list / "same.txt").write_text("1 a/s/0.wav a/s/1.wav\n")
    rest = given[1:]
    found = said("score", "same.txt", *rest)
    assert "0 nontarget trials" in found["no_rates"]
    assert main(["score", "same.txt", *rest]) == 0
    first, line = capsys.readouterr().out.splitlines()
    assert first.startswith("# no error rates: 1 target and 0 nontarget")
    assert line == f"1 a/s/0.wav a/s/1.wav {found['cosine'][0]:.6f}"


def test_embeddings_are_kept_until_the_scores_are_written(
    given, trial_list, monkeypatch, refused, said
):
    def fail(*given):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(pairs, "write_score_lines", fail)
        refused("score", *given, "--out", "scores.txt")
    parts = trial_list / "scores.txt.parts"
    (part,) = parts.iterdir()
    before = part.stat().st_mtime_ns
    with monkeypatch.context() as full:
        full.setattr(pairs, "write_score_lines", fail)
        refused("score", *given, "--out", "scores.txt")
    assert part.stat().st_mtime_ns == before
    said("score", *given, "--out", "scores.txt")
    assert not parts.exists()


@pytest.mark.parametrize(
    "command, out, words",
    [
        ("score", "audio", "audio: is a folder"),
        ("score", "trials.txt/out", "trials.txt is no folder"),
        ("calibrate", "trials.txt/my.json", "trials.txt is no folder"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    command, out, words, trial_list, monkeypatch, refused
):
    monkeypatch.chdir(trial_list)
    (trial_list / "trials.txt").write_text(
        "1 a/s/0.wav missing.wav\n0 a/s/0.wav b/s/0.wav\n"
    )
    given = (command, "trials.txt", "--audio", "audio", "--out", out)
    assert words in refused(*given)


@pytest.mark.parametrize("out", [".", "audio", "package", "package/copy"])
def test_a_copy_that_cannot_be_written_is_refused_before_the_work(
    out, experiment, given, trial_list, said, refused
):
    said("export", experiment, "package")
    (trial_list / "trials.txt").write_text(
        "1 a/s/0.wav missing.wav\n0 a/s/0.wav b/s/0.wav\n"
    )
    given = (*given[:3], "--model", "package", "--out", out)
    assert "new folder" in refused("calibrate", *given)


@pytest.mark.parametrize("out", ["trials.txt", "audio/a/s/0.wav"])
def test_scores_are_not_written_over_what_is_read(
    given, trial_list, refused, out
):
    before = (trial_list / out).read_bytes()
    assert f"{out} is read here" in refused("score", *given, "--out", out)
    assert (trial_list / out).read_bytes() == before


def test_a_calibration_is_not_written_into_a_package(
    experiment, given, trial_list, said, refused
):
    said("export", experiment, "package")
    out = "package/calibration.json"
    error = refused("calibrate", *given, "--out", out)
    assert "package, whose files may not change" in error
    said("verify-package", "package")


def test_a_device_is_not_written_over(given, trial_list, refused):
    os.mkfifo(trial_list / "pipe")
    error = refused("score", *given, "--out", "pipe")
    assert "pipe: is a device or a pipe" in error


def test_parts_of_lists_of_one_name_are_kept_apart(
    experiment, given, trial_list, monkeypatch, refused, said
):
    def fail(*given):
        raise OSError(28, "No space left on device")

    lines = (trial_list / "trials.txt").read_text().splitlines(keepends=True)
    (trial_list / "more").mkdir()
    (trial_list / "more/trials.txt").write_text("".join(lines[:5]))
    shutil.copytree(experiment, "copy")
    other = "more/trials.txt", *given[1:]
    runs = [given, other, (*given[:4], "copy")]
    with monkeypatch.context() as full:
        full.setattr(pairs, "score_lines", fail)
        for run in [*runs, (str(trial_list / "trials.txt"), *given[1:])]:
            refused("score", *run)
    parts = [*trial_list.glob("trials.txt.*.parts")]
    assert len(parts) == 3  # an absolute path goes on from the relative one
    for run in runs:
        said("score", *run)
    assert not any(one.exists() for one in parts)
