"""Logistic regression whose prior is chosen, not counted.

 * columns are standardised inside, so that one penalty fits all of them
 * a constant column gets weight 0
 * where the classes do not overlap the penalty alone keeps the weights
   finite: a column that tells them apart ends at odds of about e^11
 * deterministic: L-BFGS from zero, in float64

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, logit

from speechbrain_moe.errors import InputError

# times half the squared weights of standardised columns, beside a mean
# cross-entropy in nats: too little to be seen where the classes overlap
PENALTY = 1e-6
CONSTANT = 1e-12  # spread over size below which a column is rounding alone
FLAT = 1e-5  # largest slope left at the minimum, in nats per unit weight


def fit_logistic(
    rows: np.ndarray, targets: np.ndarray, p_target: float, weights=None
) -> tuple[np.ndarray, float]:
    """Give the linear log-likelihood ratio with the least cross-entropy.

    The mean cross-entropy of targets counts p_target, that of nontargets
    1 - p_target, each of the posterior that the ratio and the prior log-odds
    add up to.

    Arguments
    ---------
    rows : numpy.ndarray
        Finite, [N, F] float64.
    targets : numpy.ndarray
        True for targets, both classes there, [N] bool.
    p_target : float
        Above 0, below 1.
    weights : array_like, optional
        How much each row counts within its class, >= 0, some above 0 in
        each class, [N]. Default: all alike.

    Returns
    -------
    slopes : numpy.ndarray
        In nats per unit of the columns, [F] float64.
    offset : float
        In nats; the ratio is rows @ slopes + offset.

    Raises
    ------
    InputError
        If the search ends away from a minimum.

    Example
    -------
    >>> rows, targets = np.array([[1.0], [2], [3], [4]]), np.arange(4) % 2 == 1
    >>> slopes, offset = fit_logistic(rows, targets, p_target=0.5)
    >>> bool(slopes[0] > 0)
    True
    """
    shares = _class_shares(targets, p_target, weights)
    means = shares @ rows
    centred = rows - means
    spreads = np.sqrt(shares @ np.square(centred))
    varies = spreads > CONSTANT * np.abs(rows).max(axis=0)
    scales = np.where(varies, spreads, 1.0)
    columns = np.where(varies, centred / scales, 0.0)
    fitted = _minimise(columns, targets, shares, logit(p_target))
    slopes = fitted[:-1] / scales
    return slopes, float(fitted[-1] - slopes @ means)


def _class_shares(targets, p_target, weights):
    """Return weights that sum to p_target over targets, to 1 over all."""
    if weights is None:
        weights = np.ones(len(targets))
    weights = np.asarray(weights, dtype=np.float64)
    totals = np.where(targets, weights[targets].sum(), weights[~targets].sum())
    return weights * np.where(targets, p_target, 1.0 - p_target) / totals


def _minimise(columns, targets, shares, prior):
    """Return the weights of the columns, and the offset last."""
    signs = np.where(targets, -1.0, 1.0)

    def cost_and_slope(fitted):
        slopes, offset = fitted[:-1], fitted[-1]
        against = signs * (columns @ slopes + offset + prior)
        cost = shares @ np.logaddexp(0.0, against)
        pull = shares * signs * expit(against)
        gradient = np.append(pull @ columns + PENALTY * slopes, pull.sum())
        return cost + 0.5 * PENALTY * slopes @ slopes, gradient

    start = np.zeros(columns.shape[1] + 1)
    precise = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 1000, "maxcor": 30}
    result = minimize(
        cost_and_slope, start, jac=True, method="L-BFGS-B", options=precise
    )
    # rounding can end the search just short of gtol: that is near enough
    if np.abs(result.jac).max() > FLAT:
        raise InputError(
            f"logistic regression found no minimum ({result.message}); look "
            "for a column with a few huge values and leave it out"
        )
    return result.x
