import json

import numpy as np
import pytest
from scored_files import all_pairs, made_up
from scoring_chain import (
    Cohort,
    Learnt,
    inputs_of,
    learn,
    score_columns,
    step_scores,
)
from scoring_files import read_cohort, read_learnt, write_cohort, write_learnt
from scoring_run import Scored

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.as_norm import as_norm_trials
from speechbrain_moe.scoring.cohort import speaker_means
from speechbrain_moe.scoring.costs import cllr
from speechbrain_moe.scoring.speakers import speakers_of


@pytest.fixture(scope="module")
def cohort():
    found = made_up([f"c{i}" for i in range(20)], 4, seed=1)
    return Cohort(*speaker_means(found.embeddings, speakers_of(found.paths)))


@pytest.fixture(scope="module")
def dev(cohort):
    """Trials and columns of dev speakers."""
    found = made_up([f"d{i:02d}" for i in range(15)], 5, seed=2)
    trials = all_pairs(found.paths)
    return trials, score_columns(found, trials, cohort)


@pytest.fixture(scope="module")
def test_list(cohort):
    found = made_up([f"t{i:02d}" for i in range(15)], 5, seed=3)
    trials = all_pairs(found.paths)
    return trials, score_columns(found, trials, cohort)


def test_columns_are_those_of_the_two_files_of_each_trial(cohort):
    found = made_up(["a", "b"], 2)
    trials = all_pairs(found.paths)
    columns = score_columns(found, trials, cohort)
    i = list(zip(trials.enrol, trials.test)).index(
        ("a/s01/1.wav", "b/s01/0.wav")
    )
    normed = as_norm_trials(
        found.embeddings, found.paths, trials, cohort.embeddings
    )
    sides = np.log(found.quality["duration_s"][[1, 2]])
    assert columns["cosine"][i] == normed.cosine[i]
    assert columns["as_norm"][i] == normed.as_norm[i]
    assert columns["log_duration_min"][i] == sides.min()
    assert columns["log_duration_max"][i] == sides.max()


def test_ratios_learnt_on_dev_speakers_are_calibrated_on_others(dev, test_list):
    learnt = learn(*dev)
    trials, columns = test_list
    steps = step_scores(columns, learnt.calibrations)
    assert [*steps] == ["cosine", "as_norm", "llr", "llr_quality"]
    costs = {step: cllr(trials.labels, steps[step]) for step in steps}
    # As good as the best map of these trials themselves, but for chance
    best = cllr(
        trials.labels,
        step_scores(columns, learn(*test_list).calibrations)["llr"],
    )
    assert costs["llr"] < 1.1 * best < 0.5
    assert costs["llr_quality"] < costs["llr"] < costs["as_norm"]


def test_without_a_cohort_the_cosine_itself_is_calibrated(dev):
    trials, columns = dev
    alone = {name: x for name, x in columns.items() if name != "as_norm"}
    assert [*inputs_of(alone)] == ["llr_cosine"]
    steps = step_scores(alone, learn(trials, alone).calibrations)
    assert [*steps] == ["cosine", "llr_cosine"]
    whole = learn(trials, columns).calibrations["llr_cosine"]
    assert np.array_equal(
        steps["llr_cosine"], whole.apply({"cosine": columns["cosine"]})
    )


def test_scores_that_say_nothing_are_left_uncalibrated_with_the_reason(
    dev, caplog
):
    trials, columns = dev
    wrong = {**columns, "as_norm": -columns["as_norm"]}
    learnt = learn(trials, wrong)
    assert [*learnt.calibrations] == ["llr_cosine"]
    assert {*learnt.about["not_calibrated"]} == {"llr", "llr_quality"}
    assert "no llr:" in caplog.text
    assert {*learnt.thresholds} == {"cosine", "as_norm"}


def test_thresholds_without_errors_behind_them_are_refused_in_words(cohort):
    found = made_up([*"abcdef"], 4, spread=0.2)
    trials = all_pairs(found.paths)
    threshold = learn(trials, score_columns(found, trials, cohort)).thresholds[
        "cosine"
    ]["far0.1"]
    assert threshold["value"] is None and "wanted" in threshold["reason"]


def test_files_give_back_what_was_written(dev, cohort, tmp_path):
    learnt = learn(*dev)
    write_cohort(tmp_path / "cohort.npz", cohort, "model")
    write_learnt(
        tmp_path / "calibration.json",
        Scored({}, None, cohort, learnt, "model"),
    )
    again = read_cohort(tmp_path / "cohort.npz", "model")
    assert again.speakers == cohort.speakers
    assert np.array_equal(again.embeddings, cohort.embeddings)
    stored = read_learnt(tmp_path / "calibration.json", again, "model")
    assert stored.calibrations == learnt.calibrations
    assert stored.thresholds == learnt.thresholds


def test_files_of_another_model_or_cohort_are_refused(cohort, tmp_path):
    npz, path = tmp_path / "cohort.npz", tmp_path / "calibration.json"
    write_cohort(npz, cohort, "model")
    with pytest.raises(InputError, match="cohort.npz is of another model"):
        read_cohort(npz, "other")
    learnt = Learnt({}, {}, {})
    write_learnt(path, Scored({}, None, cohort, learnt, "model"))
    with pytest.raises(InputError, match="calibration.json is of another mod"):
        read_learnt(path, cohort, "other")
    other = cohort._replace(embeddings=cohort.embeddings[::-1])
    with pytest.raises(InputError, match="fitted with another cohort"):
        read_learnt(path, other, "model")


@pytest.mark.parametrize("content", ["", "{}", "no json", "[1]"])
def test_files_that_are_none_are_refused_by_name(content, tmp_path):
    path = tmp_path / "file"
    path.write_text(content)
    with pytest.raises(InputError, match="file: no calibration"):
        read_learnt(path, None, "model")
    with pytest.raises(InputError, match="file: no cohort"):
        read_cohort(path, "model")


def test_damaged_calibration_is_refused_by_name(dev, cohort, tmp_path):
    path = tmp_path / "calibration.json"
    write_learnt(path, Scored({}, None, cohort, learn(*dev), "model"))
    content = json.loads(path.read_text())
    del content["calibrations"]["llr"]["offset"]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="calibration.json.*no offset"):
        read_learnt(path, cohort, "model")
