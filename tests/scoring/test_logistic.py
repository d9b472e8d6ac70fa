"""The regression alone: against scikit-learn, and its slopes."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring import logistic
from speechbrain_moe.scoring.logistic import fit_logistic


def overlapping(seed, n=2000, n_columns=3):
    rng = np.random.default_rng(seed)
    targets = rng.random(n) < 0.3
    rows = rng.normal(size=(n, n_columns)) + targets[:, None]
    return rows * [1.0, 50.0, 1e-3] + [0.0, 1000.0, 5.0], targets


@pytest.mark.parametrize("p_target", [0.05, 0.5])
def test_fit_agrees_with_scikit_learn(p_target):
    rows, targets = overlapping(0)
    shares = np.where(
        targets, p_target / targets.sum(), (1 - p_target) / (~targets).sum()
    )
    scaled = (rows - rows.mean(0)) / rows.std(0)
    other = LogisticRegression(C=1e6, tol=1e-10, max_iter=1000)
    other.fit(scaled, targets, sample_weight=shares * len(targets))
    expected = other.decision_function(scaled) - np.log(
        p_target / (1 - p_target)
    )
    slopes, offset = fit_logistic(rows, targets, p_target)
    np.testing.assert_allclose(rows @ slopes + offset, expected, atol=2e-3)


def test_same_rows_give_the_same_bits():
    rows, targets = overlapping(1)
    first, again = (fit_logistic(rows, targets, 0.05) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]


def test_columns_near_copies_of_each_other_are_fitted():
    rows, targets = overlapping(2)
    copy = rows[:, :1] + 1e-6 * np.random.default_rng(2).normal(size=(2000, 1))
    alone, _ = fit_logistic(rows[:, :1], targets, 0.05)
    slopes, _ = fit_logistic(np.hstack([rows[:, :1], copy]), targets, 0.05)
    assert slopes.sum() == pytest.approx(alone[0], rel=0.05)


def test_a_search_that_stops_early_is_an_error(monkeypatch):
    whole = logistic.minimize

    def cut_short(*given, options, **named):
        return whole(*given, options={"maxiter": 1}, **named)

    monkeypatch.setattr(logistic, "minimize", cut_short)
    with pytest.raises(InputError, match="found no minimum"):
        fit_logistic(*overlapping(3), p_target=0.05)


def test_penalty_stops_the_weights_where_classes_do_not_overlap():
    # the minimum is where 1 / (1 + exp(w)) = 1e-6 w: w is 11.39
    rows, targets = np.array([[-1.0], [1.0]]), np.array([False, True])
    slopes, offset = fit_logistic(rows, targets, p_target=0.5)
    assert slopes[0] == pytest.approx(11.39, abs=0.01)
    assert offset == pytest.approx(0.0, abs=1e-3)
