"""Decision thresholds, and whether there are errors enough to set them.

 * at the equal error rate and at false alarms of 1 % and 0.1 %
 * a threshold rests on the errors counted at it; with fewer than 30 it is
   refused, with the reason in its place
 * take them from speakers of neither the training nor the test list

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.metrics import DetCurve, curve_eer, det_curve

FALSE_ALARM_RATES = {"far1": 0.01, "far0.1": 0.001}


class Threshold(NamedTuple):
    """Where to decide, or why it cannot be said.

    Arguments
    ---------
    value : float or None
        A trial is accepted when score >= value; None when refused.
    n_errors : int
        Errors at the threshold that it rests on.
    reason : str or None
        Why it was refused, and what would mend it.

    Example
    -------
    >>> Threshold(0.41, n_errors=58)
    Threshold(value=0.41, n_errors=58, reason=None)
    """

    value: float | None
    n_errors: int
    reason: str | None = None


def decision_thresholds(
    labels, scores, min_errors: int = 30
) -> dict[str, Threshold]:
    """Give the thresholds at the EER and at two false-alarm rates.

    ``far1`` and ``far0.1`` are the lowest scores at which at most 1 % and
    0.1 % of the nontarget trials are accepted, and rest on those false
    alarms. ``eer`` balances misses and false alarms and rests on the rarer
    of the two. With 30 errors a rate is within 30 % of the true one in nine
    of ten cases, were the trials independent: the rule of 30, Doddington,
    Przybocki, Martin and Reynolds, "The NIST speaker recognition
    evaluation", Speech Communication 31, 2000. Trials that share speakers
    are worth fewer.

    Arguments
    ---------
    labels : array_like
        1 for target, 0 for nontarget, [N].
    scores : array_like
        Higher means more alike, finite, [N].
    min_errors : int
        Fewest errors behind a threshold, >= 1.

    Returns
    -------
    dict of str to Threshold
        eer, far1 and far0.1, in this order.

    Raises
    ------
    InputError
        If shapes differ, a label is neither 0 nor 1, a score is NaN or Inf,
        a class is missing, or min_errors is below 1.

    Example
    -------
    >>> labels = np.repeat([0, 1], 5000)
    >>> scores = np.concatenate([np.arange(5000), np.arange(4500, 9500)])
    >>> found = decision_thresholds(labels, scores)
    >>> found["far1"]
    Threshold(value=4950.0, n_errors=50, reason=None)
    >>> found["far0.1"].reason
    '5 false alarms at 0.1 % of 5000 nontarget trials, 30 wanted; ...'
    """
    if min_errors < 1:
        raise InputError(f"min_errors is {min_errors}; give 1 or more")
    curve = det_curve(labels, scores)
    n_targets = int(np.count_nonzero(labels))
    n_nontargets = len(labels) - n_targets
    found = {"eer": _at_eer(curve, n_targets, n_nontargets, min_errors)}
    for name, rate in FALSE_ALARM_RATES.items():
        found[name] = _at_rate(curve, rate, n_nontargets, min_errors)
    return found


def _at_eer(
    curve: DetCurve, n_targets: int, n_nontargets: int, min_errors: int
) -> Threshold:
    """Give the threshold of the EER, resting on the rarer kind of error."""
    value = curve_eer(curve).threshold
    at = int(np.searchsorted(curve.thresholds, value))
    n_misses = round(float(curve.p_miss[at]) * n_targets)
    n_false_alarms = round(float(curve.p_fa[at]) * n_nontargets)
    n_errors = min(n_misses, n_false_alarms)
    if n_errors >= min_errors:
        return Threshold(value, n_errors)
    reason = (
        f"{n_misses} misses and {n_false_alarms} false alarms at the equal "
        f"error rate, {min_errors} of each wanted; give more trials of more "
        "speakers"
    )
    return Threshold(None, n_errors, reason)


def _at_rate(
    curve: DetCurve, rate: float, n_nontargets: int, min_errors: int
) -> Threshold:
    """Give the lowest threshold with at most this rate of false alarms."""
    at = int(np.argmax(curve.p_fa <= rate))
    n_errors = round(float(curve.p_fa[at]) * n_nontargets)
    if n_errors >= min_errors:
        return Threshold(float(curve.thresholds[at]), n_errors)
    reason = (
        f"{n_errors} false alarms at {100 * rate:g} % of {n_nontargets} "
        f"nontarget trials, {min_errors} wanted; give more trials of more "
        "speakers"
    )
    return Threshold(None, n_errors, reason)
