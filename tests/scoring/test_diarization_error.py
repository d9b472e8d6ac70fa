import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.diarization_error import diarization_error

TRUTH = [(1.0, 4.0, "ann"), (5.0, 8.0, "bob"), (8.0, 9.0, "ann")]


def test_the_truth_by_other_names_has_no_error():
    names = {"ann": "speaker_2", "bob": "speaker_1"}
    answer = [(start, end, names[who]) for start, end, who in TRUTH]
    assert diarization_error(TRUTH, answer) == (0, 0, 0, 7)


def test_parts_add_up_to_the_rate():
    answer = [
        (1.0, 3.5, "x"),  # 0.5 missed
        (4.8, 8.0, "y"),  # 0.2 false alarm
        (8.0, 9.0, "y"),  # 1.0 confused
        (9.5, 10.0, "x"),  # 0.5 false alarm
    ]
    found = diarization_error(TRUTH, answer)
    assert found == pytest.approx((0.5, 0.7, 1.0, 7.0))
    assert found.rate == pytest.approx(100 * 2.2 / 7)


def test_no_answer_misses_all_and_one_speaker_confuses_the_lesser():
    assert diarization_error(TRUTH, []).rate == 100
    found = diarization_error(TRUTH, [(1.0, 9.0, "x")])
    assert found == pytest.approx((0, 1, 3, 7))


def test_one_speaker_told_as_two_counts_once():
    answer = [(0.0, 6.0, "x"), (6.0, 10.0, "y")]
    found = diarization_error([(0.0, 10.0, "ann")], answer)
    assert found == pytest.approx((0, 0, 4, 10))


def test_speakers_are_matched_for_the_best_sum_not_one_by_one():
    # Greedily ann takes x (4 s), which leaves bob nothing: 7 s are possible
    truth = [(0.0, 7.0, "ann"), (7.0, 11.0, "bob")]
    answer = [(0.0, 4.0, "x"), (4.0, 7.0, "y"), (7.0, 11.0, "x")]
    assert diarization_error(truth, answer).confused_s == pytest.approx(4)


def test_two_at_once_count_twice():
    truth = [(0.0, 4.0, "ann"), (2.0, 4.0, "bob")]
    found = diarization_error(truth, [(0.0, 4.0, "x")])
    assert found == pytest.approx((2, 0, 0, 6))
    assert diarization_error(truth, truth).rate == 0


def test_collar_forgives_the_edges_of_the_reference():
    late = [(start + 0.2, end + 0.2, who) for start, end, who in TRUTH]
    assert diarization_error(TRUTH, late).rate > 5
    found = diarization_error(TRUTH, late, collar_s=0.25)
    assert found == pytest.approx((0, 0, 0, 7 - 6 * 0.25))


def test_error_is_that_of_a_slow_count():
    rng = np.random.default_rng(0)
    edges = np.sort(rng.uniform(0, 30, 24)).round(2).reshape(-1, 2)
    truth = [(*pair, rng.choice(["a", "b"])) for pair in edges]
    answer = [(s + 0.5, e + 0.3, rng.choice(["x", "y"])) for s, e, _ in truth]

    def who(segments, at):
        return {w for s, e, w in segments if round(s, 2) <= at < round(e, 2)}

    wrong = {}
    for pairs in ({"x": "a", "y": "b"}, {"x": "b", "y": "a"}):
        wrong[str(pairs)] = sum(
            max(len(t), len(a)) - len(t & a)
            for cell in range(3200)
            for t in [who(truth, cell / 100 + 0.005)]
            for a in [{pairs[x] for x in who(answer, cell / 100 + 0.005)}]
        )
    found = diarization_error(truth, answer)
    total = found.missed_s + found.false_alarm_s + found.confused_s
    assert total == pytest.approx(min(wrong.values()) / 100, abs=0.1)


@pytest.mark.parametrize(
    "truth, collar_s", [([], 0.0), ([(0.0, 0.4, "ann")], 0.25)]
)
def test_reference_without_speech_is_refused(truth, collar_s):
    with pytest.raises(InputError, match="no speech in the reference"):
        diarization_error(truth, [(0.0, 1.0, "x")], collar_s)
