import json

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.decisions import decide
from speechbrain_moe.inference.identification import (
    pick,
    raise_threshold,
    rank,
    share_probability,
)
from speechbrain_moe.inference.learnt import NOTHING_LEARNT, Learnt
from speechbrain_moe.inference.quality import Quality
from speechbrain_moe.inference.voices import Voice
from speechbrain_moe.scoring.calibration import Calibration

LEARNT = Learnt(
    Calibration(("cosine",), (20.0,), -10.0),
    {"eer": {"value": 0.5, "reason": None}},
    "",
)
GOOD = Quality(3.0, -20.0, 40.0, 2.0, 0.0, 0.0)


def voice(angle, **faults):
    embedding = np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)
    return Voice("a.wav", GOOD, faults, embedding, np.array([0.25, 0.75]))


NAMES = ["far", "near"]
ENROLLED = np.stack([voice(2.0).embedding, voice(0.3).embedding])


def test_nearest_speaker_is_named_first():
    found = pick(NAMES, ENROLLED, voice(0.0), LEARNT)
    assert found.name == "near" and list(found.scores) == ["near", "far"]
    assert found.scores["near"] == pytest.approx(np.cos(0.3))
    assert found.n_enrolled == 2


def test_speaker_below_the_threshold_is_unknown():
    assert pick(NAMES, ENROLLED, voice(-1.0), LEARNT).name == "unknown"


def test_silence_is_nobody_and_has_no_score():
    silent = Voice("quiet.wav", GOOD, {"silent": "silence"})
    found = pick(NAMES, ENROLLED, silent, LEARNT)
    assert found[:4] == (None, {}, None, None)
    assert found.reason == "quiet.wav: silence"


def test_no_decision_names_nobody_and_says_why():
    found = pick(NAMES, ENROLLED, voice(0.3), NOTHING_LEARNT)
    assert found.name is None and found.scores["near"] == pytest.approx(1)
    assert found.llr is found.probability is None
    assert found.reason.startswith("no threshold eer")
    json.dumps(found.to_dict())


def test_fault_is_no_decision_unless_accepted():
    test = voice(0.3, clipped="30 % clipped")
    found = pick(NAMES, ENROLLED, test, LEARNT)
    assert found.name is None and found.reason == "a.wav: 30 % clipped"
    found = pick(NAMES, ENROLLED, test, LEARNT, accept=["clipped"])
    assert found.name == "near"


@pytest.mark.parametrize("prior", [0.01, 0.5])
def test_one_enrolled_voice_is_a_verification(prior):
    pair = [voice(0.2)], voice(0.9)
    wanted = decide(*pair, LEARNT, prior=prior)
    enrolled = pair[0][0].embedding[np.newaxis]
    found = pick(["ann"], enrolled, pair[1], LEARNT, prior=prior)
    assert found.threshold == wanted.threshold
    assert (found.name == "ann") is wanted.same_speaker
    assert found.llr == pytest.approx(wanted.llr)
    assert found.probability == pytest.approx(wanted.probability)


def test_probability_is_that_of_bayes_over_all_and_nobody():
    scores, prior = np.array([0.4, 0.7, 0.6]), 0.3
    ratios = np.exp(20 * scores - 10)
    wanted = 0.1 * ratios[1] / (0.1 * ratios.sum() + 0.7)
    llr, found = share_probability(scores, LEARNT, prior)
    assert llr == pytest.approx(4.0) and found == pytest.approx(wanted)


def test_two_voices_as_near_share_the_probability():
    _, found = share_probability(np.array([0.9, 0.9]), LEARNT, 0.99)
    assert 0.4999 < found < 0.5


def test_far_voices_take_probability_from_the_nearest():
    few, many = (
        share_probability(np.array([0.6] + n * [0.4]), LEARNT, 0.5)[1]
        for n in (1, 1000)
    )
    assert many < few / 100


def test_huge_ratios_stay_a_probability():
    learnt = LEARNT._replace(calibration=Calibration(("cosine",), (4e3,), 0.0))
    assert share_probability(np.array([1.0, -1.0]), learnt, 0.5)[1] == 1.0


@pytest.mark.parametrize("prior", [0, 1, "high"])
def test_prior_that_cannot_be_is_refused(prior):
    with pytest.raises(InputError, match="prior is"):
        pick(NAMES, ENROLLED, voice(0.0), NOTHING_LEARNT, prior=prior)


def test_raised_threshold_bounds_false_alarms_over_many_voices():
    """Different speakers score N(0.2, 0.1), same ones N(0.6, 0.1).

    With equal variances the log-likelihood ratio is linear in the score.
    Its own threshold is at a ratio of exp(2), so at most exp(-2) are raised.
    """
    learnt = LEARNT._replace(
        calibration=Calibration(("cosine",), (40.0,), -16.0),
        thresholds={"eer": {"value": 0.45, "reason": None}},
    )
    drawn = np.random.default_rng(0).normal(0.2, 0.1, size=(4000, 50))
    plain = (drawn.max(axis=1) >= 0.45).mean()
    value, _ = raise_threshold("eer", learnt, n_enrolled=50)
    raised = (drawn.max(axis=1) >= value).mean()
    assert plain > 10 * raised > 0
    assert raised < np.exp(-2)


def test_threshold_given_as_a_number_is_taken_as_it_is():
    assert raise_threshold(0.4, LEARNT, n_enrolled=1000) == (0.4, None)


def test_too_many_voices_for_the_model_are_no_decision():
    value, reason = raise_threshold("eer", LEARNT, n_enrolled=10**5)
    assert value is None and reason.startswith("100000 voices are too many")


def test_threshold_of_one_is_not_taken_for_many_without_calibration():
    learnt = LEARNT._replace(calibration=None)
    assert raise_threshold("eer", learnt, n_enrolled=1) == (0.5, None)
    value, reason = raise_threshold("eer", learnt, n_enrolled=2)
    assert value is None and "not known for 2; give a cosine" in reason


@pytest.mark.parametrize("n_nearest", [None, 1, 7, 100])
def test_rank_is_a_stable_sort_cut_short(n_nearest):
    scores = np.random.default_rng(0).integers(20, size=100) / 20
    wanted = np.argsort(-scores, kind="stable")[:n_nearest]
    assert np.array_equal(rank(scores, n_nearest), wanted)


@pytest.mark.parametrize("n_nearest", [0, -1, 1.5, "all"])
def test_number_of_scores_to_tell_is_one_or_more(n_nearest):
    with pytest.raises(InputError, match="n_nearest is .*give 1 or more"):
        pick(NAMES, ENROLLED, voice(0.0), LEARNT, n_nearest=n_nearest)


def test_more_scores_than_voices_are_all_of_them():
    found = pick(NAMES, ENROLLED, voice(0.0), LEARNT, n_nearest=99)
    assert list(found.scores) == ["near", "far"]


def test_few_scores_told_leave_the_decision_as_it_is():
    rows = np.random.default_rng(0).normal(size=(30, 2))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("f4")
    names = [str(i) for i in range(30)]
    every = pick(names, rows, voice(0.0), LEARNT, 0.9)
    few = pick(names, rows, voice(0.0), LEARNT, 0.9, n_nearest=3)
    assert list(few.scores) == list(every.scores)[:3]
    assert few[0] == every[0] and few[2:7] == every[2:7]
