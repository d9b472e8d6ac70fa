"""The subcommands score and calibrate."""

import json

import pytest

from speechbrain_moe.cli import main
from speechbrain_moe.inference.shipped import open_recognition


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


def test_a_broken_file_of_the_list_is_named(given, trial_list, refused):
    (trial_list / "audio/a/s/0.wav").write_text("no sound")
    assert "audio/a/s/0.wav: cannot be decoded" in refused("score", *given)


def test_a_calibration_gives_verify_a_probability(
    given, trial_list, voices, said
):
    found = said("calibrate", *given, "--out", "calibration.json")
    assert [*found["thresholds"]] == ["eer", "far1", "far0.1"]
    pair = ["audio/a/s/0.wav", "audio/a/s/1.wav"]
    model = (*given[3:], "--calibration", "calibration.json")
    decision = said("verify", *pair, *model)
    assert 0 < decision["probability"] < 1
    assert "no threshold eer" in decision["reason"]
    scored = said("score", *given, "--calibration", "calibration.json")
    assert len(scored["llr"]) == 15


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
    pairs = ("pairs.txt", *given[1:], "--out", "out.json")
    assert "pairs.txt has no labels" in refused("calibrate", *pairs)
    training = refused("calibrate", *given, "--out", "folder")
    assert "is no package" in training
