import json
import os

import pytest

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.measured import Measured, find_measured

METRICS = {"list": "veri_test.txt", "eer": 5.0}
CALIBRATION = {"model": "mine", "calibrations": {"llr_cosine": {}}}


@pytest.fixture
def write(tmp_path):
    """Writes a file of a list's folder; later calls are newer."""
    times = iter(range(1, 100))

    def write_file(name, content):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        is_text = isinstance(content, str)
        path.write_text(content if is_text else json.dumps(content))
        time = next(times)
        os.utime(path, (time, time))

    return write_file


def test_newest_calibration_is_taken_with_its_error_rates(write, tmp_path):
    for folder, eer in (("b", 1.0), ("a", 2.0)):
        metrics = {
            **METRICS,
            "eer": eer,
            "steps": {},
            "subgroup_gaps": {"x": 1},
        }
        write(f"{folder}/calibration.json", CALIBRATION)
        write(f"{folder}/subgroups.md", f"groups of {folder}")
        write(f"{folder}/metrics.json", metrics)
    write("c/metrics.json", {**METRICS, "model": "mine"})
    found = find_measured(tmp_path, "mine")
    assert found.metrics["eer"] == 2.0
    assert found.calibration == CALIBRATION
    assert found.subgroups == "groups of a"


def test_error_rates_that_name_the_model_need_no_calibration(write, tmp_path):
    write("a/metrics.json", {**METRICS, "model": "mine"})
    found = find_measured(tmp_path, "mine")
    assert found == Measured({**METRICS, "model": "mine"}, None, "")


@pytest.mark.parametrize("model", [{}, {"model": "another"}])
def test_error_rates_of_another_or_no_model_are_left_out(
    write, tmp_path, model, caplog
):
    write("a/metrics.json", {**METRICS, **model})
    assert find_measured(tmp_path, "mine") == Measured()
    assert "verify again, then export" in caplog.text


def test_calibration_of_another_checkpoint_is_left_out(write, tmp_path, caplog):
    write("a/calibration.json", {**CALIBRATION, "model": "another"})
    write("a/metrics.json", {**METRICS, "steps": {}})
    assert find_measured(tmp_path, "mine") == Measured()
    assert "left out" in caplog.text


def test_later_run_of_the_cosine_alone_does_not_pass_for_the_chains(
    write, tmp_path
):
    write("a/calibration.json", CALIBRATION)
    write("a/subgroups.md", "groups")
    write("a/metrics.json", METRICS)  # of whatever checkpoint
    found = find_measured(tmp_path, "mine")
    assert found == Measured(None, CALIBRATION, "")


def test_calibration_that_learnt_nothing_is_none(write, tmp_path):
    write("a/calibration.json", {"model": "mine", "calibrations": {}})
    write("a/metrics.json", {**METRICS, "steps": {}})
    found = find_measured(tmp_path, "mine")
    assert found.calibration is None and found.metrics["eer"] == 5.0


def test_packages_below_the_training_are_not_read(write, tmp_path):
    write("package/hyperparams.yaml", "")
    write("package/metrics.json", {**METRICS, "model": "mine"})
    assert find_measured(tmp_path, "mine") == Measured()


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_damaged_file_is_refused_by_name(write, tmp_path, content):
    write("a/metrics.json", content)
    with pytest.raises(PackageError, match="a/metrics.json is damaged"):
        find_measured(tmp_path, "mine")
