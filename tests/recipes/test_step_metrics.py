import numpy as np
import pytest
from scored_files import all_pairs, made_up
from step_metrics import measure, measure_steps, rates_at, steps_table

from speechbrain_moe.scoring.costs import act_dcf, cllr
from speechbrain_moe.scoring.metrics import equal_error_rate, min_dcf
from speechbrain_moe.scoring.trials import trial_scores


@pytest.fixture(scope="module")
def scored():
    found = made_up([*"abcdefgh"], 3, spread=1.0)
    trials = all_pairs(found.paths)
    return trials, trial_scores(found.embeddings, found.paths, trials)


def test_each_measure_is_the_one_of_its_name(scored):
    trials, scores = scored
    y, llrs = trials.labels, 8 * scores - 2
    found = measure(trials, llrs, ratios=True)
    wanted = {"eer": equal_error_rate(y, llrs).eer, "cllr": cllr(y, llrs)}
    for p in (0.01, 0.05):
        wanted[f"min_dcf_{p}"] = min_dcf(y, llrs, p).min_dcf
        wanted[f"act_dcf_{p}"] = act_dcf(y, llrs, p)
    for name, value in wanted.items():
        assert found[name] == value
        low, high = found[f"{name}_interval"]
        assert low <= high
    assert found["act_dcf_0.05"] != found["act_dcf_0.01"]
    assert (found["n_trials"], found["n_target"]) == (276, 24)
    assert found["n_speakers"] == 8


def test_scores_that_are_no_ratios_are_not_judged_as_such(scored):
    assert not {"cllr", "act_dcf_0.01"} & {*measure(*scored)}


def test_thresholds_are_tried_as_given_and_refused_ones_kept():
    given = {
        "eer": {"value": 0.5, "n_errors": 40, "reason": None},
        "far1": {"value": None, "n_errors": 2, "reason": "too few"},
    }
    labels = np.array([1, 1, 1, 1, 0, 0])
    scores = np.array([0.5, 0.6, 0.7, 0.4, 0.5, 0.1])  # equal is accepted
    found = rates_at(labels, scores, given)
    assert (found["eer"]["miss"], found["eer"]["false_alarm"]) == (25.0, 50.0)
    assert found["far1"] == given["far1"]
    assert "miss" not in given["eer"]


def test_table_has_a_row_for_each_step_in_order(scored):
    trials, scores = scored
    steps = measure_steps(trials, {"cosine": scores, "llr": 8 * scores}, {})
    lines = steps_table(steps).splitlines()
    assert [line.split(" | ")[0] for line in lines] == [
        "| step",
        "| ---",
        "| cosine",
        "| LLR of AS-norm",
    ]
    assert f"{steps['llr']['cllr']:.3f} [" in lines[3]
