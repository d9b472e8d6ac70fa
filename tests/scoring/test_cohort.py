"""Speaker means, and which cohorts are refused."""

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring import cohort as module
from speechbrain_moe.scoring.cohort import check_cohort, speaker_means
from speechbrain_moe.scoring.trials import Trials

TRIALS = Trials(
    np.array([1, 0]), ["a/s/1.wav", "a/s/1.wav"], ["a/s/2.wav", "b/s/1.wav"]
)


def test_means_are_those_of_a_slow_loop_in_any_blocks(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 7)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 5))
    speakers = [f"s{i}" for i in rng.integers(6, size=40)]
    means, names = speaker_means(rows, speakers)
    assert names == sorted(set(speakers))
    for mean, name in zip(means, names):
        own = [r / np.sqrt(r @ r) for r, s in zip(rows, speakers) if s == name]
        total = np.sum(own, axis=0)
        np.testing.assert_allclose(mean, total / np.sqrt(total @ total))


def test_each_embedding_of_a_speaker_counts_the_same():
    rows = np.array([[100.0, 0.0], [0.0, 0.01]])
    means, _ = speaker_means(rows, ["a", "a"])
    np.testing.assert_allclose(means, [[0.5**0.5, 0.5**0.5]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_means_have_length_one_in_float64(dtype):
    rows = np.random.default_rng(1).normal(size=(9, 4)).astype(dtype)
    means, _ = speaker_means(rows, list("abcabcabc"))
    assert means.dtype == np.float64
    np.testing.assert_allclose(np.linalg.norm(means, axis=1), 1, atol=1e-15)


def test_a_memory_mapped_file_gives_the_same(tmp_path):
    rows = np.random.default_rng(2).normal(size=(9, 4))
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    speakers = list("abcabcabc")
    np.testing.assert_array_equal(
        speaker_means(mapped, speakers)[0], speaker_means(rows, speakers)[0]
    )


def test_unusable_rows_are_named_with_their_speaker(monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 2)
    rows = np.ones((5, 3))
    rows[3, 1] = np.nan
    with pytest.raises(InputError, match="of b in row 3 is not finite"):
        speaker_means(rows, list("aabba"))


def test_embeddings_that_cancel_out_are_refused():
    rows = np.array([[1.0, 2.0, 3.0], [-0.1, -0.2, -0.3], [1.0, 1.0, 1.0]])
    with pytest.raises(InputError, match="of b, all taken together, is zero"):
        speaker_means(rows, ["b", "b", "a"])


def test_a_speaker_for_each_row_is_wanted():
    with pytest.raises(InputError, match="3 embeddings of 2 speakers"):
        speaker_means(np.eye(3), ["a", "b"])


def test_a_cohort_speaker_on_either_side_of_the_trials_is_refused():
    with pytest.raises(InputError, match="1 of 2 .* first is a;"):
        check_cohort(["c", "a"], TRIALS)
    with pytest.raises(InputError, match="1 of 2 .* first is b;"):
        check_cohort(["c", "b"], TRIALS)


def test_a_cohort_of_other_speakers_passes():
    check_cohort(["c", "d", "aa"], TRIALS)
