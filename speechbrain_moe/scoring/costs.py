"""What log-likelihood ratios cost in use: actual DCF and Cllr.

 * ratios are natural logs, above 0 where the same speaker is more likely
 * nothing is tuned on the trials: the threshold follows from the prior and
   the costs, so bad calibration shows, as it does not in EER and minDCF
 * actual DCF is read off the curve that minDCF searches, so it is never
   below it, not even by rounding
 * ratios of 1000 and more lose no digits

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import math

import numpy as np

from speechbrain_moe.scoring.metrics import (
    _check_costs,
    _checked,
    det_curve,
)


def bayes_threshold(
    p_target: float, c_miss: float = 1.0, c_fa: float = 1.0
) -> float:
    """Give the log-likelihood ratio from which on accepting costs less.

    log((1 - p_target) / p_target * c_fa / c_miss), see Bruemmer and du
    Preez, "Application-independent evaluation of speaker detection",
    Computer Speech and Language 20, 2006.

    Arguments
    ---------
    p_target : float
        Share of target trials in use, above 0, below 1.
    c_miss, c_fa : float
        Cost of rejecting a target, of accepting a nontarget, above 0.

    Returns
    -------
    float
        Natural log; accept when llr >= it.

    Raises
    ------
    InputError
        If p_target or a cost is out of range.

    Example
    -------
    >>> round(bayes_threshold(0.01), 4)  # log 99
    4.5951
    """
    _check_costs(p_target, c_miss, c_fa)
    prior = math.log(p_target) - math.log1p(-p_target)
    return math.log(c_fa) - math.log(c_miss) - prior


def act_dcf(
    labels,
    llrs,
    p_target: float,
    c_miss: float = 1.0,
    c_fa: float = 1.0,
    weights=None,
) -> float:
    """Give the normalised detection cost at the threshold of the prior.

    The cost and its normalisation are those of min_dcf; the threshold is
    bayes_threshold(p_target, c_miss, c_fa). Above 1 the decisions are worse
    than deciding without any scores.

    Arguments
    ---------
    labels : array_like
        1 for target, 0 for nontarget, [N].
    llrs : array_like
        Log-likelihood ratios, natural log, finite, [N].
    p_target, c_miss, c_fa : float
        As for bayes_threshold.
    weights : array_like, optional
        How often each trial counts, finite, >= 0, [N]. Default: once.

    Returns
    -------
    float
        At least min_dcf of the same trials; 0 when nothing is decided wrong.

    Raises
    ------
    InputError
        If shapes differ, a label is neither 0 nor 1, a ratio or weight is
        NaN or Inf, a class is missing, or p_target or a cost is out of range.

    Example
    -------
    >>> act_dcf([0, 0, 1, 1], [-3.0, 1.0, 2.0, 5.0], p_target=0.5)
    0.5
    """
    threshold = bayes_threshold(p_target, c_miss, c_fa)
    curve = det_curve(labels, llrs, weights)
    at = np.searchsorted(curve.thresholds, threshold)  # first one >= it
    at = min(int(at), len(curve.thresholds) - 1)  # above all: reject all
    miss_cost, fa_cost = c_miss * p_target, c_fa * (1.0 - p_target)
    cost = miss_cost * curve.p_miss[at] + fa_cost * curve.p_fa[at]
    return float(cost) / min(miss_cost, fa_cost)


def cllr(labels, llrs, weights=None) -> float:
    """Give the cost of log-likelihood ratios over all priors, in bits.

    (mean over targets of log2(1 + exp(-llr)) + mean over nontargets of
    log2(1 + exp(llr))) / 2; Bruemmer and du Preez, "Application-independent
    evaluation of speaker detection", Computer Speech and Language 20, 2006,
    https://doi.org/10.1016/j.csl.2005.08.001.

    Arguments
    ---------
    labels, llrs, weights : array_like
        [N] each, as for act_dcf.

    Returns
    -------
    float
        0 for perfect ratios, 1 for ratios that are all 0, without bound
        for confident errors.

    Raises
    ------
    InputError
        As act_dcf.

    Example
    -------
    >>> cllr([0, 1], [0.0, 0.0])
    1.0
    """
    targets, llrs, weights = _checked(labels, llrs, weights)
    # logaddexp(0, x) = log(1 + exp(x)) without overflow
    bits = np.logaddexp(0.0, np.where(targets, -llrs, llrs)) / math.log(2.0)
    means = [
        np.average(bits[side], weights=weights[side])
        for side in (targets, ~targets)
    ]
    return float(sum(means)) / 2.0
