"""The benchmark of scoring: both kinds give the same, ratios are right."""

import numpy as np
import pytest
import scoring


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scoring")
    scoring.make_data(folder, n_speakers=3, n_trials=400, n_cohort=310)
    return folder


def test_all_steps_are_timed(folder):
    steps = scoring.here(folder)
    assert list(steps) == ["read", "score", "eer", "dcf"]
    assert min(steps.values()) > 0


def test_the_control_gives_what_is_given_here(folder):
    scoring.here(folder)
    found = scoring.control(folder, sample=20, metric_sample=400)
    assert found["score_gap"] < 1e-4  # it works in float32
    assert found["dcf_gap"] < 1e-6
    assert found["eer_gap"] < 0.5  # % ; it takes the nearest threshold


def test_the_loop_is_multiplied_by_the_trials_left_out(folder, monkeypatch):
    scoring.here(folder)
    monkeypatch.setattr(scoring, "recipe_loop", lambda *_: (np.zeros(20), 3.0))
    monkeypatch.setattr(scoring, "dcf_on_sample", lambda *_: (0.5, 0.25, 0.0))
    monkeypatch.setattr(scoring, "eer_extrapolated", lambda *_: 0.0)
    monkeypatch.setattr(scoring, "eer_gap", lambda *_: 0.0)
    found = scoring.control(folder, sample=20, metric_sample=40)
    assert found["score"] == 3.0 * 400 / 20
    assert found["dcf"] == 2 * 0.5 * 10**2  # two costs, quadratic
    assert found["dcf_gb"] == 0.25 * 10**2


def test_an_eer_on_rounded_scores_counts_the_distinct_ones(monkeypatch):
    seconds = iter([0.0, 2.0])
    monkeypatch.setattr(scoring.time, "process_time", lambda: next(seconds))
    scores = np.array([0.001, 0.002, 0.003, 0.004, 1.001, 1.002])
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert scoring.eer_extrapolated(scores, labels) == 2.0 * 6 / 2


def test_ratios_are_of_the_process_that_does_all_of_it():
    ours = {"read": 1.0, "score": 2.0, "eer": 0.5, "dcf": 0.5}
    ours |= {"cpu": 5.0, "wall": 4.0, "peak_gb": 0.5}
    theirs = {"score": 100.0, "eer": 50.0, "dcf": 100.0, "dcf_gb": 1000.0}
    lines = list(scoring.table(ours, theirs))
    assert lines[3] == "| cosine and AS-norm | 2.00 | 100 | 50 |"
    assert lines[6] == "| whole process | 5.0 | 250 | 50 |"
    assert lines[7] == "| whole process, by the clock | 4.0 | | |"
    assert lines[8] == "| peak memory | 0.50 GB | 1000 GB | |"
