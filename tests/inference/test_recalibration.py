import json
import shutil

import numpy as np
import pytest

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference.export import export_package
from speechbrain_moe.inference.manifest import verify_package
from speechbrain_moe.inference.recalibration import (
    check_copy,
    copy_calibrated,
    learn_calibration,
    write_calibration,
)
from speechbrain_moe.inference.shipped import open_recognition
from speechbrain_moe.scoring.trials import Trials


@pytest.fixture(scope="module")
def package(experiment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages") / "package"
    return export_package(experiment, folder)


@pytest.fixture(scope="module")
def key(package):
    return open_recognition(package).model_key()


@pytest.fixture
def trials():
    """1000 target and 5000 nontarget trials with their cosines."""
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 0], [1000, 5000])
    scores = rng.normal(np.where(labels, 0.6, 0.1), 0.12).clip(-1, 1)
    return Trials(labels, ["a"] * 6000, ["b"] * 6000), scores


def test_a_copy_decides_by_what_was_learnt(package, key, trials, tmp_path):
    content = learn_calibration(*trials, key, "mine.txt")
    copy_calibrated(package, tmp_path / "mine", content)
    learnt = open_recognition(tmp_path / "mine").learnt
    assert learnt.calibration.to_dict() == {
        **content["calibrations"]["llr_cosine"]
    }
    labels, scores = trials[0].labels, trials[1]
    accepted = scores >= learnt.thresholds["far1"]["value"]
    assert np.mean(accepted[labels == 0]) <= 0.01
    # Of the normal distributions drawn from: ln ratio at their middle is 0
    llr = learnt.calibration.apply({"cosine": [0.35, 0.6]})
    assert llr == pytest.approx([0, 0.5 * 0.25 / 0.12**2], abs=0.6)


def test_a_training_is_exported_with_what_a_list_taught(
    experiment, key, trials, tmp_path
):
    training = shutil.copytree(experiment, tmp_path / "training")
    content = learn_calibration(*trials, key, "mine.txt")
    write_calibration(training / "mine/calibration.json", content)
    card = (export_package(training, tmp_path / "p") / "README.md").read_text()
    assert "learnt from 6000 trials of the list `mine.txt`;" in card


def test_a_card_that_is_no_text_is_refused_before_anything(package, tmp_path):
    changed = shutil.copytree(package, tmp_path / "changed")
    (changed / "README.md").write_bytes("# Größe".encode("latin-1"))
    with pytest.raises(PackageError, match="README.md is no UTF-8 text"):
        check_copy(changed, tmp_path / "mine")


def test_a_copy_is_whole_and_its_card_says_what_it_is(
    package, key, trials, tmp_path
):
    content = learn_calibration(*trials, key, "mine.txt")
    copy_calibrated(package, tmp_path / "mine", content)
    assert "calibration.json" in verify_package(tmp_path / "mine").files
    card = (tmp_path / "mine" / "README.md").read_text(encoding="utf-8")
    assert "> Calibrated anew: `calibration.json` was learnt from" in card
    assert "mine.txt, 6000 trials, 1000 of them" in card
    # Once more, over the first
    copy_calibrated(package, tmp_path / "mine", {**content, "list": "new.txt"})
    verify_package(tmp_path / "mine")
    stored = json.loads((tmp_path / "mine/calibration.json").read_text())
    assert stored["list"] == "new.txt"


def few(n_each):
    """As many target and nontarget trials, and their cosines."""
    labels = np.repeat([1, 0], n_each)
    scores = np.linspace(1, 0, 2 * n_each)
    scores[n_each - 1], scores[n_each] = scores[n_each], scores[n_each - 1]
    return Trials(labels, ["a"] * len(labels), ["b"] * len(labels)), scores


def test_few_errors_give_a_probability_but_no_threshold(key):
    found = learn_calibration(*few(20), key, "mine.txt")
    assert found["calibrations"]["llr_cosine"]["weights"][0] > 0
    for threshold in found["thresholds"]["cosine"].values():
        assert threshold["value"] is None and "wanted" in threshold["reason"]


def test_few_trials_give_no_probability_and_say_so(package, key, tmp_path):
    found = learn_calibration(*few(19), key, "mine.txt")
    copy_calibrated(package, tmp_path / "mine", found)
    learnt = open_recognition(tmp_path / "mine").learnt
    assert learnt.calibration is None
    assert "19 trials of one speaker, 20 wanted" in learnt.missing


def test_the_package_itself_and_other_folders_are_left_alone(
    package, trials, key, tmp_path
):
    content = learn_calibration(*trials, key, "mine.txt")
    with pytest.raises(PackageError, match="is the package itself"):
        copy_calibrated(package, package, content)
    (tmp_path / "letters.txt").touch()
    with pytest.raises(PackageError, match="holds letters.txt"):
        copy_calibrated(package, tmp_path, content)
