import json

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.decisions import decide
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


def voice(angle, path="a.wav", **faults):
    embedding = np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)
    return Voice(
        path, GOOD, faults, embedding, np.array([0.25, 0.75123], np.float32)
    )


def silent(path="quiet.wav"):
    return Voice(path, GOOD, {"silent": "silence"})


@pytest.mark.parametrize("angle, same", [(1.0, True), (1.1, False)])
def test_decision_is_on_which_side_of_the_threshold(angle, same):
    found = decide([voice(0.0)], voice(angle), LEARNT)
    assert found.score == pytest.approx(np.cos(angle))
    assert found.threshold == 0.5
    assert found.same_speaker is same and found.reason is None
    assert found.llr == pytest.approx(20 * np.cos(angle) - 10)


def test_score_at_the_threshold_is_the_same_speaker():
    found = decide([voice(0.0)], voice(0.0), LEARNT, threshold=1.0)
    assert found.score == 1.0 and found.same_speaker is True


def test_several_enrolments_have_the_mean_of_their_scores_and_llrs():
    pair = [voice(-0.2), voice(0.8)]
    found = decide(pair, voice(0.1), LEARNT)
    alone = [decide([one], voice(0.1), LEARNT) for one in pair]
    assert found.score == pytest.approx(np.mean([d.score for d in alone]))
    assert found.llr == pytest.approx(np.mean([d.llr for d in alone]))
    assert [v.path for v in found.enrol] == ["a.wav", "a.wav"]


def test_more_enrolments_raise_no_more_false_alarms():
    rng = np.random.default_rng(0)
    speaker = rng.normal(size=(400, 1, 16)) + rng.normal(size=(1, 1, 16))
    rows = speaker + rng.normal(size=(400, 6, 16))  # of a cone, as voices are
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    voices = [[Voice("", GOOD, {}, row) for row in own] for own in rows]

    def false_alarms(n):
        pairs = zip(voices, voices[1:])
        return [decide(a[:n], b[-1], LEARNT).same_speaker for a, b in pairs]

    one, five = np.mean(false_alarms(1)), np.mean(false_alarms(5))
    assert 0.05 < one and five < one


@pytest.mark.parametrize("side", ["enrol", "test"])
def test_silence_on_either_side_gives_neither_score_nor_decision(side):
    pair = [voice(0.0), silent()]
    enrol, test = pair if side == "test" else pair[::-1]
    found = decide([enrol], test, LEARNT, accept=["silent"])
    assert found[:3] == (None, None, None) and found.same_speaker is None
    assert found.reason == "quiet.wav: silence"


def test_other_faults_give_a_score_but_no_decision_unless_accepted():
    test = voice(0.1, "b.wav", clipped="30 % clipped", band_limited="8 kHz")
    found = decide([voice(0.0)], test, LEARNT)
    assert found.score == pytest.approx(np.cos(0.1))
    assert found.same_speaker is None
    assert found.reason == "b.wav: 30 % clipped; b.wav: 8 kHz"
    found = decide([voice(0.0)], test, LEARNT, accept=["clipped"])
    assert found.reason == "b.wav: 8 kHz"
    both = ["band_limited", "clipped"]
    assert decide([voice(0.0)], test, LEARNT, accept=both).same_speaker is True


def test_package_without_a_calibration_decides_by_a_number_alone():
    found = decide([voice(0.0)], voice(0.1), NOTHING_LEARNT)
    assert found.same_speaker is None and found.llr is None
    assert "has no calibration.json; give a cosine" in found.reason
    found = decide([voice(0.0)], voice(0.1), NOTHING_LEARNT, threshold=0.4)
    assert found.same_speaker is True and found.probability is None


@pytest.mark.parametrize("accept", ["clipped", ["loud"], None, 5, [[]]])
def test_faults_that_there_are_not_are_refused(accept):
    with pytest.raises(InputError, match="accept is"):
        decide([voice(0.0)], voice(0.1), LEARNT, accept=accept)


def test_decision_is_plain_json():
    found = decide([voice(0.0)], voice(0.1), LEARNT).to_dict()
    plain = json.loads(json.dumps(found))
    assert plain["test"]["experts"] == [0.25, 0.7512]
    assert plain["enrol"][0]["quality"]["duration_s"] == 3.0
    assert plain["same_speaker"] is True and "embedding" not in plain["test"]
