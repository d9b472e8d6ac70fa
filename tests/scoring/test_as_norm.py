"""AS-norm: against slow loops, by hand, and what must not matter."""

import logging
import statistics

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring import as_norm as module
from speechbrain_moe.scoring.as_norm import (
    MIN_STD,
    CohortStatistics,
    as_norm,
    as_norm_trials,
    cohort_statistics,
)
from speechbrain_moe.scoring.trials import (
    TrialListError,
    Trials,
    trial_scores,
)

IDS = [f"{i}.wav" for i in range(30)]


def draw(seed=0, n_trials=80, n_cohort=50, dim=16):
    """Files [30, dim], trials among them and a cohort, drawn by seed."""
    rng = np.random.default_rng(seed)
    sides = ([IDS[i] for i in rng.integers(30, size=n_trials)] for _ in "et")
    trials = Trials(rng.integers(2, size=n_trials), *sides)
    offset = rng.normal(size=dim)  # cosines are not centred in practice
    files, cohort = (offset + rng.normal(size=(n, dim)) for n in (30, n_cohort))
    return files, trials, cohort


def slow_cosine(left, right):
    """In Python's own floats."""
    left, right = left.tolist(), right.tolist()
    product = sum(a * b for a, b in zip(left, right))
    squares = sum(a * a for a in left) * sum(b * b for b in right)
    return product / squares**0.5


def slow_as_norm(files, trials, cohort, top_n):
    """One trial after the other, as the definition reads."""
    for enrol, test in zip(trials.enrol, trials.test):
        sides = files[IDS.index(enrol)], files[IDS.index(test)]
        score = slow_cosine(*sides)
        total = 0.0
        for side in sides:
            cosines = [slow_cosine(side, other) for other in cohort]
            nearest = sorted(cosines, reverse=True)[:top_n]
            mean = statistics.fmean(nearest)
            total += (score - mean) / statistics.pstdev(nearest, mean)
        yield total / 2


@pytest.mark.parametrize("top_n", [3, 7, 49, 50])
def test_scores_are_those_of_a_slow_loop(monkeypatch, top_n):
    monkeypatch.setattr(module, "BLOCK", 7)  # several blocks
    files, trials, cohort = draw()
    scores = as_norm_trials(files, IDS, trials, cohort, top_n)
    slow = list(slow_as_norm(files, trials, cohort, top_n))
    assert scores.as_norm.dtype == np.float64
    np.testing.assert_allclose(scores.as_norm, slow, atol=1e-9)


def test_a_case_worked_by_hand():
    # cosines of file 0 with the cohort: 1, 0.6, 0, the nearest two have
    # mean 0.8 and std 0.2; of file 1: 0.6, 1, 0.8, mean 0.9 and std 0.1
    files = np.array([[1.0, 0.0], [0.6, 0.8]])
    cohort = np.array([[2.0, 0.0], [3.0, 4.0], [0.0, 9.0]])
    trials = Trials(np.array([1]), ["0.wav"], ["1.wav"])
    scores = as_norm_trials(files, IDS[:2], trials, cohort, top_n=2)
    by_hand = ((0.6 - 0.8) / 0.2 + (0.6 - 0.9) / 0.1) / 2
    np.testing.assert_allclose(scores.cosine, [0.6])
    np.testing.assert_allclose(scores.as_norm, [by_hand])


def test_cosines_are_those_of_trial_scores():
    files, trials, cohort = draw()
    scores = as_norm_trials(files, IDS, trials, cohort)
    np.testing.assert_array_equal(
        scores.cosine, trial_scores(files, IDS, trials)
    )


def test_the_order_of_the_cohort_does_not_matter():
    files, trials, cohort = draw(1)
    scores = as_norm_trials(files, IDS, trials, cohort, 10)
    turned = as_norm_trials(files, IDS, trials, cohort[::-1], 10)
    np.testing.assert_allclose(turned.as_norm, scores.as_norm, atol=1e-9)


def test_swapping_enrol_and_test_changes_nothing():
    files, trials, cohort = draw(2)
    swapped = Trials(trials.labels, trials.test, trials.enrol)
    np.testing.assert_array_equal(
        as_norm_trials(files, IDS, swapped, cohort, 10).as_norm,
        as_norm_trials(files, IDS, trials, cohort, 10).as_norm,
    )


@pytest.mark.parametrize("scale", [1e-30, 3.0, 1e30])
def test_the_length_of_embeddings_does_not_matter(scale):
    files, trials, cohort = draw(3)
    lengths = scale * np.arange(1.0, 31.0)[:, None]
    scores = as_norm_trials(files, IDS, trials, cohort, 10)
    longer = as_norm_trials(files * lengths, IDS, trials, cohort / scale, 10)
    np.testing.assert_allclose(longer.as_norm, scores.as_norm, atol=1e-9)


def test_a_top_n_above_the_cohort_takes_all_of_it_and_says_so(caplog):
    files, _, cohort = draw(4)
    with caplog.at_level(logging.INFO, logger=module.__name__):
        clamped = cohort_statistics(files, cohort, top_n=300)
    whole = cohort_statistics(files, cohort, top_n=len(cohort))
    np.testing.assert_array_equal(clamped, whole)
    assert caplog.messages == ["all 50 cohort speakers count, not 300"]


def test_only_the_nearest_speakers_count():
    files, _, cohort = draw(5)
    far = -files.mean(0) + 0.01 * np.random.default_rng(5).normal(size=(9, 16))
    np.testing.assert_allclose(
        cohort_statistics(files, np.vstack([cohort, far]), top_n=10),
        cohort_statistics(files, cohort, top_n=10),
        atol=1e-12,
    )


def test_a_constant_cohort_gives_the_smallest_std_and_finite_scores():
    files, trials, _ = draw(6)
    cohort = np.ones((20, 16))
    assert (cohort_statistics(files, cohort, 10).std == MIN_STD).all()
    scores = as_norm_trials(files, IDS, trials, cohort, 10)
    assert np.isfinite(scores.as_norm).all()


def test_files_that_no_trial_uses_change_no_score():
    files, trials, cohort = draw(7, n_trials=5)
    used = [i for i in IDS if i in {*trials.enrol, *trials.test}]
    assert len(used) < len(IDS)
    fewer = files[[IDS.index(i) for i in used]]
    np.testing.assert_allclose(
        as_norm_trials(fewer, used, trials, cohort, 10).as_norm,
        as_norm_trials(files, IDS, trials, cohort, 10).as_norm,
        atol=1e-9,
    )


def test_statistics_of_rows_follow_their_order_and_repeats():
    table = CohortStatistics(np.arange(3.0), np.arange(3.0) + 10)
    chosen = table.of([2, 0, 2])
    assert chosen.mean.tolist() == [2, 0, 2]
    assert chosen.std.tolist() == [12, 10, 12]


@pytest.mark.parametrize(
    "bad, message",
    [(np.nan, "not finite"), (np.inf, "not finite"), (0, "zero")],
)
def test_unusable_rows_are_refused_by_name(bad, message):
    files, trials, cohort = draw(8)
    files[3] = cohort[4] = bad
    with pytest.raises(InputError, match=f"of 3.wav is {message}"):
        as_norm_trials(files, IDS, trials, cohort)
    with pytest.raises(InputError, match=f"of row 3 is {message}"):
        cohort_statistics(files, np.ones((5, 16)))
    with pytest.raises(InputError, match=f"of cohort row 4 is {message}"):
        cohort_statistics(np.ones((5, 16)), cohort)


@pytest.mark.parametrize("shape", [(1, 16), (9, 15), (16,), (0, 16)])
def test_what_cannot_be_a_cohort_is_refused(shape):
    with pytest.raises(InputError, match=r"wanted \[N, 16\]"):
        cohort_statistics(np.ones((5, 16)), np.ones(shape))


@pytest.mark.parametrize("top_n", [-1, 0, 1])
def test_a_top_n_below_2_is_refused(top_n):
    with pytest.raises(InputError, match=f"top_n is {top_n}"):
        cohort_statistics(np.ones((5, 3)), np.eye(3), top_n)


def test_statistics_that_are_not_of_the_trials_are_refused():
    files, _, cohort = draw(9)
    table = cohort_statistics(files, cohort)
    with pytest.raises(InputError, match="2 scores for statistics of 30"):
        as_norm([0.1, 0.2], table, table)


@pytest.mark.parametrize("part", ["score", "mean", "std"])
def test_nan_in_any_part_is_refused_by_its_trial(part):
    parts = {name: np.ones(3) for name in ("score", "mean", "std")}
    parts[part][2] = np.nan
    score = parts.pop("score")
    side = CohortStatistics(np.zeros(3), np.ones(3))
    with pytest.raises(InputError, match="trial 2 is not finite"):
        as_norm(score, side, CohortStatistics(**parts))


def test_trials_whose_sides_differ_in_length_are_refused():
    files, trials, cohort = draw(10)
    with pytest.raises(TrialListError, match="79 test"):
        as_norm_trials(
            files, IDS, trials._replace(test=trials.test[1:]), cohort
        )
