import numpy as np
import pytest

from speechbrain_moe.scoring.pairs import read_pairs, score_lines
from speechbrain_moe.scoring.trials import TrialListError, Trials


@pytest.fixture
def written(tmp_path):
    """The path of a list with this text."""

    def write(text):
        path = tmp_path / "list.txt"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_two_columns_have_no_labels(written):
    trials, labelled = read_pairs(written("\na.wav b.wav\na.wav ü.wav\n"))
    assert not labelled
    assert (trials.enrol, trials.test) == (["a.wav"] * 2, ["b.wav", "ü.wav"])


def test_three_columns_are_read_as_ever(written):
    trials, labelled = read_pairs(written("1 a.wav b.wav\n0 a.wav c.wav\n"))
    assert labelled and trials.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    "text, words",
    [
        ("a b\n1 a b\n", "list.txt:2: 3 fields; wanted two"),
        ("1 a b\na b\n", "list.txt:2: 2 fields .*wanted three"),
        ("", "holds no trials"),
    ],
)
def test_a_list_of_mixed_forms_or_none_is_refused(written, text, words):
    with pytest.raises(TrialListError, match=words):
        read_pairs(written(text))


def test_scores_are_read_back_by_what_reads_lists_with_scores():
    trials = Trials(np.array([1, 0]), ["a", "a"], ["b", "c"])
    steps = {"cosine": np.array([0.25, -1.0])}
    assert score_lines(trials, steps, False) == [
        "a b 0.250000",
        "a c -1.000000",
    ]
    assert score_lines(trials, {**steps, "llr": [1.0, 2.0]}, True) == [
        "# label enrol test cosine llr",
        "1 a b 0.250000 1.000000",
        "0 a c -1.000000 2.000000",
    ]
