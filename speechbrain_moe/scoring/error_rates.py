"""EER and minDCF of scored trials, with intervals over speakers.

 * intervals resample speakers, because trials share speakers
 * ratios are also judged as they stand: actual DCF and Cllr
 * where paths do not name the speakers there are rates and no intervals,
   and the reason

Authors
 * The speechbrain_moe developers 2026
"""

from functools import partial

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.costs import act_dcf, cllr
from speechbrain_moe.scoring.intervals import bootstrap_interval
from speechbrain_moe.scoring.metrics import equal_error_rate, min_dcf
from speechbrain_moe.scoring.speakers import check_labels, speakers_of
from speechbrain_moe.scoring.trials import Trials

P_TARGETS = (0.01, 0.05)


def measure(trials: Trials, scores, ratios: bool = False) -> dict:
    """Give EER, minDCF and their intervals over speakers.

    Arguments
    ---------
    trials : Trials
        Labels, and paths that begin with the speaker.
    scores : numpy.ndarray
        One a trial, [N].
    ratios : bool
        Whether they are log-likelihood ratios: then actual DCF and Cllr too.

    Returns
    -------
    dict
        Plain numbers by name; EER in %, intervals as [low, high] at 95 %.

    Raises
    ------
    InputError
        If a class is missing, or paths do not name speakers.

    Example
    -------
    >>> import numpy as np
    >>> enrol, test = ["a/1", "b/1", "a/1", "b/2"], ["a/2", "b/2", "b/1", "a/2"]
    >>> trials = Trials(np.array([1, 1, 0, 0]), enrol, test)
    >>> measure(trials, np.array([0.9, 0.8, 0.1, 0.2]))["eer_interval"]
    [0.0, 0.0]
    """
    speakers = speakers_of(trials.enrol), speakers_of(trials.test)
    metrics = counts(trials, scores)
    metrics["n_speakers"] = len({*speakers[0], *speakers[1]})
    for name, measure_all in measures(ratios).items():
        interval = bootstrap_interval(
            measure_all, trials.labels, scores, *speakers
        )
        metrics[name] = interval.estimate
        metrics[f"{name}_interval"] = [interval.low, interval.high]
    return metrics


def measure_any(trials: Trials, scores) -> dict:
    """Give EER and minDCF, with intervals where paths name the speakers.

    Arguments
    ---------
    trials : Trials
        With labels of both classes.
    scores : numpy.ndarray
        One a trial, [N].

    Returns
    -------
    dict
        As ``measure``; without intervals it says why, as no_interval.

    Raises
    ------
    InputError
        If a class is missing.

    Example
    -------
    >>> import numpy as np
    >>> trials = Trials(np.array([1, 0]), ["1.wav"] * 2, ["2.wav", "3.wav"])
    >>> found = measure_any(trials, np.array([0.9, 0.1]))
    >>> found["eer"], found["no_interval"]
    (0.0, "no speaker in the path '1.wav'; the paths ...")
    """
    metrics = counts(trials, scores)  # refuses a list of one class
    try:
        check_labels(trials)
    except InputError as error:
        for name, measure_all in measures(ratios=False).items():
            metrics[name] = float(measure_all(trials.labels, scores, None))
        return metrics | {"no_interval": str(error)}
    return measure(trials, scores)


def counts(trials: Trials, scores) -> dict:
    """Give numbers of trials, and the threshold at the EER."""
    return {
        "n_trials": len(scores),
        "n_target": int(sum(trials.labels)),
        "eer_threshold": equal_error_rate(trials.labels, scores).threshold,
    }


def measures(ratios: bool) -> dict:
    """Give functions of (labels, scores, weights) by name."""
    first = {"eer": equal_error_rate}
    first |= {f"min_dcf_{p}": partial(min_dcf, p_target=p) for p in P_TARGETS}
    found = {
        name: lambda y, s, w, f=f: f(y, s, weights=w)[0]
        for name, f in first.items()
    }
    if ratios:
        found |= {
            f"act_dcf_{p}": lambda y, s, w, p=p: act_dcf(y, s, p, weights=w)
            for p in P_TARGETS
        }
        found["cllr"] = cllr
    return found
