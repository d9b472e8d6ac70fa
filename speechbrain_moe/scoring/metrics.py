"""Error rates of a list of scored trials: DET curve, EER and minDCF.

 * one sort, then cumulative sums: no trials-by-thresholds matrix is made
 * a trial is accepted when score >= threshold; ties are decided together
 * trials may carry weights; a weight of 2 equals the trial listed twice
 * NaN, Inf, labels other than 0 and 1 and a missing class are refused

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from speechbrain_moe.errors import InputError


class DetCurve(NamedTuple):
    """Error rates at every threshold that makes a difference.

    Arguments
    ---------
    p_miss : numpy.ndarray
        Share of target trials rejected, [K] float64, rises from 0 to 1.
    p_fa : numpy.ndarray
        Share of nontarget trials accepted, [K] float64, falls from 1 to 0.
    thresholds : numpy.ndarray
        The distinct scores, rising, and one just above, [K] float64.

    Example
    -------
    >>> DetCurve(np.array([0.0, 1.0]), np.array([1.0, 0.0]), np.arange(2.0))
    DetCurve(p_miss=array([0., 1.]), ...)
    """

    p_miss: np.ndarray
    p_fa: np.ndarray
    thresholds: np.ndarray


class EqualErrorRate(NamedTuple):
    """Where misses and false alarms are equally frequent.

    Arguments
    ---------
    eer : float
        Equal error rate in percent, 0 to 100.
    threshold : float
        The DET threshold where the rates are closest, the higher of two.

    Example
    -------
    >>> EqualErrorRate(eer=2.2, threshold=0.41).eer
    2.2
    """

    eer: float
    threshold: float


class MinDcf(NamedTuple):
    """The lowest detection cost any threshold reaches.

    Arguments
    ---------
    min_dcf : float
        Normalised cost, 0 to 1; 1 is no better than using no scores.
    threshold : float
        The lowest threshold that reaches it.

    Example
    -------
    >>> MinDcf(min_dcf=0.3, threshold=0.5).min_dcf
    0.3
    """

    min_dcf: float
    threshold: float


def det_curve(labels, scores, weights=None) -> DetCurve:
    """Give the miss and false-alarm rates at every distinct score.

    Martin, Doddington, Kamm, Ordowski and Przybocki, "The DET curve in
    assessment of detection task performance", 1997; axes not warped.

    Arguments
    ---------
    labels : array_like
        1 for target, 0 for nontarget trials, [N].
    scores : array_like
        Higher means more alike, finite, [N].
    weights : array_like, optional
        How often each trial counts, finite, >= 0, [N]. Default: once.

    Returns
    -------
    DetCurve
        One entry more than distinct scores of trials with a weight > 0.

    Raises
    ------
    InputError
        If shapes differ, a label is neither 0 nor 1, a score or weight is
        NaN or Inf, a weight is negative, or a class is missing.

    Example
    -------
    >>> curve = det_curve([0, 1, 0, 1], [0.1, 0.5, 0.5, 0.9])
    >>> curve.p_miss.tolist(), curve.p_fa.tolist()
    ([0.0, 0.0, 0.5, 1.0], [1.0, 0.5, 0.0, 0.0])
    """
    targets, scores, weights = _checked(labels, scores, weights)
    order = np.argsort(scores, kind="stable")  # quick on sorted input
    scores, targets, weights = scores[order], targets[order], weights[order]
    last_of_tie = np.append(scores[1:] != scores[:-1], True)
    thresholds = scores[last_of_tie]
    thresholds = np.append(thresholds, np.nextafter(thresholds[-1], np.inf))
    missed = np.cumsum(weights * targets)[last_of_tie]
    rejected = np.cumsum(weights * ~targets)[last_of_tie]
    p_miss = np.append(0.0, missed) / missed[-1]
    # difference of sums, not 1 - share: small rates keep their digits
    p_fa = (rejected[-1] - np.append(0.0, rejected)) / rejected[-1]
    return DetCurve(p_miss, p_fa, thresholds)


def curve_eer(curve: DetCurve) -> EqualErrorRate:
    """Read the equal error rate off a DET curve; see equal_error_rate.

    Arguments
    ---------
    curve : DetCurve
        What det_curve returned.

    Returns
    -------
    EqualErrorRate
        eer in percent, threshold as a score.

    Example
    -------
    >>> curve_eer(det_curve([0, 1, 0, 1], [0.1, 0.4, 0.6, 0.9])).eer
    50.0
    """
    gap = curve.p_miss - curve.p_fa  # rises from -1 to 1
    after = int(np.argmax(gap >= 0))
    before = after - 1
    part = -gap[before] / (gap[after] - gap[before])
    step = curve.p_miss[after] - curve.p_miss[before]
    eer = 100.0 * (curve.p_miss[before] + part * step)
    nearest = before if -gap[before] < gap[after] else after
    return EqualErrorRate(float(eer), float(curve.thresholds[nearest]))


def equal_error_rate(labels, scores, weights=None) -> EqualErrorRate:
    """Give the error rate where misses equal false alarms, in percent.

    Neighbouring points (p_fa, p_miss) of the DET curve are joined by
    straight lines: across tied trials that is what deciding at random would
    give (Fawcett, "An introduction to ROC analysis", Pattern Recognition
    Letters 27, 2006, section 5). No convex hull: the result is never below
    what a threshold, or chance between two neighbouring ones, can reach.

    Arguments
    ---------
    labels, scores, weights : array_like
        [N] each, as for det_curve.

    Returns
    -------
    EqualErrorRate
        eer in percent, threshold as a score (accept = score >= it).

    Raises
    ------
    InputError
        As det_curve.

    Example
    -------
    >>> equal_error_rate([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])
    EqualErrorRate(eer=0.0, threshold=0.8)
    """
    return curve_eer(det_curve(labels, scores, weights))


def min_dcf(
    labels,
    scores,
    p_target: float = 0.01,
    c_miss: float = 1.0,
    c_fa: float = 1.0,
    weights=None,
) -> MinDcf:
    """Give the lowest normalised detection cost over all thresholds.

    c_miss * p_target * p_miss + c_fa * (1 - p_target) * p_fa, as in the
    NIST Year 2010 Speaker Recognition Evaluation Plan, over the cost of the
    better of accepting all and rejecting all. SpeechBrain's minDCF leaves
    that division out: at p_target 0.01 it gives a hundredth of these.

    Arguments
    ---------
    labels, scores, weights : array_like
        [N] each, as for det_curve.
    p_target : float
        Assumed share of target trials in use, above 0, below 1.
    c_miss, c_fa : float
        Cost of rejecting a target, of accepting a nontarget, above 0.

    Returns
    -------
    MinDcf
        min_dcf in 0..1, threshold as a score.

    Raises
    ------
    InputError
        As det_curve, and for a p_target or cost out of range.

    Example
    -------
    >>> min_dcf([0, 0, 1, 1], [0.1, 0.6, 0.5, 0.9], p_target=0.5)
    MinDcf(min_dcf=0.5, threshold=0.5)
    """
    _check_costs(p_target, c_miss, c_fa)
    curve = det_curve(labels, scores, weights)
    miss_cost, fa_cost = c_miss * p_target, c_fa * (1.0 - p_target)
    costs = miss_cost * curve.p_miss + fa_cost * curve.p_fa
    best = int(np.argmin(costs))
    cost = float(costs[best]) / min(miss_cost, fa_cost)
    return MinDcf(cost, float(curve.thresholds[best]))


def _check_costs(p_target, c_miss, c_fa):
    """Refuse a prior outside (0, 1) and costs that are not above 0."""
    if not 0.0 < p_target < 1.0:
        raise InputError(
            f"p_target is {p_target}; give a probability above 0 and "
            "below 1, for instance 0.01"
        )
    for name, cost in (("c_miss", c_miss), ("c_fa", c_fa)):
        if not (np.isfinite(cost) and cost > 0.0):
            raise InputError(f"{name} is {cost}; give a cost above 0")


def _checked(labels, scores, weights):
    """Return targets (bool), scores and weights (float64), weights > 0."""
    labels = np.asarray(labels)
    scores = np.asarray(scores, dtype=np.float64)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise InputError(
            f"labels have shape {labels.shape}, scores {scores.shape}; "
            "give one label and one score per trial, both [N]"
        )
    if not np.isfinite(scores).all():
        first = int(np.argmin(np.isfinite(scores)))
        raise InputError(
            f"score {first} is {scores[first]}; scores must be finite, look "
            "for silent or broken files among the embeddings"
        )
    targets = labels == 1
    if not np.all(targets | (labels == 0)):
        raise InputError("labels must be 1 (target) or 0 (nontarget) only")
    if weights is None:
        weights = np.ones_like(scores)
    else:
        weights = _checked_weights(weights, scores.shape)
        counted = weights > 0
        if not counted.all():  # leave no threshold at trials left out
            targets, scores = targets[counted], scores[counted]
            weights = weights[counted]
    _check_classes(targets)
    return targets, scores, weights


def _checked_weights(weights, shape):
    """Return weights as float64, refusing any that cannot be a count."""
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != shape:
        raise InputError(
            f"weights have shape {weights.shape}; give one per trial, {shape}"
        )
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise InputError("weights must be finite and not negative")
    return weights


def _check_classes(targets):
    """Refuse trials of one class only: their error rates do not exist."""
    n_targets = int(np.count_nonzero(targets))
    if n_targets == 0 or n_targets == len(targets):
        raise InputError(
            f"{n_targets} target and {len(targets) - n_targets} nontarget "
            "trials count; error rates need at least one of each"
        )
