import json
import math

import numpy as np
import pytest
from huggingface_hub.errors import (
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
)
from speechbrain.utils.fetching import FetchFrom, FetchSource

from speechbrain_moe.errors import InputError, PackageError
from speechbrain_moe.inference import learnt
from speechbrain_moe.inference.learnt import (
    NOTHING_LEARNT,
    THRESHOLDS,
    Learnt,
    calibrate,
    fetch_calibration,
    find_threshold,
    read_learnt,
)
from speechbrain_moe.scoring.calibration import Calibration


def row(value, reason=None):
    return {"value": value, "n_errors": 50, "reason": reason}


def slope(weight):
    return {"names": ["cosine"], "weights": [weight], "offset": -6.0}


CONTENT = {
    "model": "key",
    "cohort": None,
    "calibrations": {"llr_cosine": slope(20.0)},
    "thresholds": {
        "cosine": {
            "eer": row(0.3),
            "far1": row(0.5),
            "far0.1": row(None, "3 false alarms, 30 wanted"),
        }
    },
}


@pytest.fixture
def write(tmp_path):
    def run(**changes):
        path = tmp_path / "calibration.json"
        path.write_text(json.dumps(CONTENT | changes))
        return path

    return run


def test_thresholds_are_those_of_the_cosine(write):
    learnt = read_learnt(write(), "key")
    assert find_threshold("eer", learnt) == (0.3, None)
    assert find_threshold("far1", learnt) == (0.5, None)


def test_llr_is_the_calibrated_cosine(write):
    llr, _ = calibrate(0.5, read_learnt(write(), "key"), prior=0.5)
    assert llr == 4.0


def test_refused_threshold_is_none_with_its_reason(write):
    value, reason = find_threshold("far0.1", read_learnt(write(), "key"))
    assert value is None
    assert reason == (
        "no threshold far0.1: 3 false alarms, 30 wanted; give a cosine"
    )


def test_calibration_of_another_model_counts_as_absent(write, caplog):
    learnt = read_learnt(write(), "another")
    assert learnt[:2] == NOTHING_LEARNT[:2]
    assert "is of another model" in find_threshold("eer", learnt)[1]
    assert "is of another model" in caplog.text


def test_cosine_that_could_not_be_calibrated_has_thresholds_alone(write):
    learnt = read_learnt(write(calibrations={}), "key")
    assert calibrate(0.5, learnt, 0.5) == (None, None)
    assert find_threshold("eer", learnt) == (0.3, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"thresholds": {}},
        {"thresholds": None},
        {"calibrations": []},
        {"calibrations": {"llr_cosine": {"names": ["cosine"]}}},
        {"calibrations": {"llr_cosine": slope(0.0)}},
        {"calibrations": {"llr_cosine": slope(-2.0)}},
    ],
)
def test_damaged_calibration_is_refused_by_name(write, changes):
    with pytest.raises(PackageError, match="calibration.json: no whole"):
        read_learnt(write(**changes), "key")


def test_calibration_that_is_no_json_is_refused_by_name(tmp_path):
    (tmp_path / "c.json").write_text('{"model": ')
    with pytest.raises(PackageError, match="c.json: no whole"):
        read_learnt(tmp_path / "c.json", "key")


@pytest.mark.parametrize("number", [-1, 0, 0.25, 1.0])
def test_number_is_a_cosine(number):
    assert find_threshold(number, NOTHING_LEARNT) == (number, None)


@pytest.mark.parametrize(
    "bad", ["EER", "far5", 1.5, float("nan"), True, None, [0.5]]
)
def test_other_thresholds_are_refused(bad):
    with pytest.raises(InputError, match="give one of eer, far1, far0.1"):
        find_threshold(bad, NOTHING_LEARNT)


@pytest.mark.parametrize("prior", [0.001, 0.5, 0.9, np.float32(0.25)])
def test_probability_is_that_of_bayes_rule(prior):
    learnt = Learnt(Calibration(("cosine",), (20.0,), -6.0), {}, "")
    for score in (-1.0, 0.2, 0.9):
        llr, probability = calibrate(score, learnt, prior)
        odds = math.exp(llr) * prior / (1 - prior)
        assert probability == pytest.approx(odds / (1 + odds), abs=1e-9)


def test_probability_of_a_huge_ratio_does_not_overflow():
    learnt = Learnt(Calibration(("cosine",), (1e6,), 0.0), {}, "")
    found = [calibrate(score, learnt, 0.5)[1] for score in (-1.0, 1.0)]
    assert found == [0.0, 1.0]


@pytest.mark.parametrize("prior", [0, 1, -0.1, float("nan"), "0.5"])
def test_prior_out_of_range_is_refused(prior):
    with pytest.raises(InputError, match="prior is"):
        calibrate(0.5, NOTHING_LEARNT, prior)


def test_calibration_of_a_folder_is_found_without_fetching(write, tmp_path):
    assert fetch_calibration(tmp_path, {})[0] is None
    path = write()
    source = FetchSource(FetchFrom.LOCAL, str(tmp_path))
    assert fetch_calibration(str(tmp_path), {})[0] == path
    assert fetch_calibration(source, {})[0] == path


def test_calibration_is_fetched_as_the_rest_of_the_package(monkeypatch):
    asked = []
    monkeypatch.setattr(
        learnt, "fetch", lambda *given, **how: asked.append((given, how))
    )
    settings = {"savedir": "saved", "overrides": {}, "fetch_config": "pinned"}
    fetch_calibration("user/model", settings)
    how = {"savedir": "saved", "fetch_config": "pinned"}
    assert asked == [(("calibration.json", "user/model"), how)]


@pytest.mark.parametrize(
    "error, missing",
    [
        (RemoteEntryNotFoundError, "the package has no calibration.json"),
        (ValueError, "the package has no calibration.json"),
        (LocalEntryNotFoundError, "its calibration.json could not be fetched"),
        (ConnectionError, "its calibration.json could not be fetched"),
    ],
)
def test_a_calibration_that_is_not_had_says_why(monkeypatch, error, missing):
    def absent(*given, **how):
        raise failure

    failure = error.__new__(error)
    Exception.__init__(failure, "not there")
    monkeypatch.setattr(learnt, "fetch", absent)
    assert fetch_calibration("user/model", {}) == (None, missing)


@pytest.mark.parametrize("value", [7, float("nan"), True, "x", {}])
def test_a_threshold_that_is_no_cosine_is_damage(tmp_path, value):
    row = {"value": value, "reason": None}
    content = {
        "model": "key",
        "calibrations": {},
        "thresholds": {"cosine": dict.fromkeys(THRESHOLDS, row)},
    }
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(content))
    with pytest.raises(PackageError, match="no whole calibration"):
        read_learnt(path, "key")
