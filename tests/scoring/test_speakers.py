import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.speakers import check_labels, speakers_of
from speechbrain_moe.scoring.trials import Trials


def test_speaker_stands_above_session_and_utterance():
    paths = ["a/s/1.wav", "b/2.wav", "x/wav/c/s/3.wav"]
    assert speakers_of(paths) == ["a", "b", "c"]


@pytest.mark.parametrize("path", ["1.wav", "/a/1.wav", ""])
def test_paths_without_a_speaker_are_refused(path):
    with pytest.raises(
        InputError, match="no speaker in the path .* <speaker>/<session>/<file>"
    ):
        speakers_of([path])


def test_labels_that_agree_with_the_speakers_pass():
    check_labels(
        Trials(np.array([1, 0]), ["a/s/1", "a/s/1"], ["a/s/2", "b/s/1"])
    )


@pytest.mark.parametrize("label, test", [(1, "b/s/1.wav"), (0, "a/s/2.wav")])
def test_label_that_contradicts_its_speakers_is_shown(label, test):
    trials = Trials(np.array([label]), ["a/s/1.wav"], [test])
    with pytest.raises(InputError, match=f"{label} a/s/1.wav {test}"):
        check_labels(trials)


def test_list_of_one_class_is_refused():
    trials = Trials(np.array([1]), ["a/s/1.wav"], ["a/s/2.wav"])
    with pytest.raises(InputError, match="one class only"):
        check_labels(trials)
