import numpy as np
import pytest
from simulated_trials import simulate

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring import error_rates
from speechbrain_moe.scoring.error_rates import measure, measure_any
from speechbrain_moe.scoring.metrics import equal_error_rate, min_dcf
from speechbrain_moe.scoring.trials import Trials


@pytest.fixture
def scored():
    """Trials of 30 speakers, and their scores."""
    labels, scores, enrol, test = simulate(np.random.default_rng(0))
    paths = ([f"{s}/1.wav" for s in side] for side in (enrol, test))
    return Trials(labels, *paths), scores


def test_rates_are_the_metrics_and_lie_within_their_intervals(scored):
    trials, scores = scored
    found = measure_any(trials, scores)
    eer = equal_error_rate(trials.labels, scores)
    assert found["eer"] == eer.eer and found["eer_threshold"] == eer.threshold
    for p in (0.01, 0.05):
        dcf = min_dcf(trials.labels, scores, p).min_dcf
        assert found[f"min_dcf_{p}"] == dcf
    low, high = found["eer_interval"]
    assert low < found["eer"] < high
    assert found == measure(trials, scores) and found["n_speakers"] == 30


def test_flat_names_give_the_same_rates_and_say_why_no_interval(scored):
    trials, scores = scored
    flat = [[p.replace("/", "_") for p in side] for side in trials[1:]]
    found = measure_any(Trials(trials.labels, *flat), scores)
    assert found["eer"] == measure(trials, scores)["eer"]
    assert "no speaker in the path" in found["no_interval"]
    assert not {"eer_interval", "n_speakers"} & found.keys()


def test_one_class_is_refused(scored):
    trials, scores = scored
    ones = trials._replace(labels=np.ones_like(trials.labels))
    with pytest.raises(InputError, match="nontarget"):
        error_rates.measure_any(ones, scores)
