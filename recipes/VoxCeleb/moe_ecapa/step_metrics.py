"""Error rates of each step of the scoring chain, with intervals.

 * ratios are also judged as they stand: actual DCF and Cllr
 * thresholds come from other speakers; here is what they do on this list

Authors
 * The speechbrain_moe developers 2026
"""

import numpy as np

from speechbrain_moe.inference.card_numbers import (
    STEPS,
    as_table,
    with_interval,
)
from speechbrain_moe.scoring.error_rates import measure

COLUMNS = {
    "eer": "EER %",
    "min_dcf_0.01": "minDCF(0.01)",
    "min_dcf_0.05": "minDCF(0.05)",
    "act_dcf_0.01": "actDCF(0.01)",
    "act_dcf_0.05": "actDCF(0.05)",
    "cllr": "Cllr, bits",
}


def rates_at(labels, scores, thresholds):
    """What thresholds from other speakers do on this list.

    Arguments
    ---------
    labels : np.ndarray
        1 for target, 0 for nontarget.
    scores : np.ndarray
        One a trial.
    thresholds : dict of dict
        By name: value (None if refused), n_errors, reason.

    Returns
    -------
    dict of dict
        The same, with miss and false_alarm in % where there is a value.

    Example
    -------
    >>> given = {"eer": {"value": 0.5, "n_errors": 40, "reason": None}}
    >>> labels, scores = np.array([1, 1, 0]), np.array([0.4, 0.9, 0.1])
    >>> found = rates_at(labels, scores, given)["eer"]
    >>> found["miss"], found["false_alarm"]
    (50.0, 0.0)
    """
    found = {}
    for name, threshold in thresholds.items():
        found[name] = dict(threshold)
        if threshold["value"] is None:
            continue
        accepted = scores >= threshold["value"]
        found[name]["miss"] = 100 * float(np.mean(~accepted[labels == 1]))
        found[name]["false_alarm"] = 100 * float(np.mean(accepted[labels == 0]))
    return found


def measure_steps(trials, steps, thresholds):
    """Error rates of each step.

    Arguments
    ---------
    trials : Trials
        What was compared.
    steps : dict of np.ndarray
        Scores by step.
    thresholds : dict of dict
        Of dev speakers, by step and name; may lack steps.

    Returns
    -------
    dict of dict
        What ``measure`` returned by step, with thresholds.
    """
    return {
        step: {
            **measure(trials, scores, ratios=step.startswith("llr")),
            "thresholds": rates_at(
                trials.labels, scores, thresholds.get(step, {})
            ),
        }
        for step, scores in steps.items()
    }


def steps_table(steps):
    """The gain of each step as a table in Markdown.

    Arguments
    ---------
    steps : dict of dict
        What ``measure_steps`` returned.

    Returns
    -------
    str
        A row for each step, each line ended.

    Example
    -------
    >>> numbers = {"eer": 2.5, "eer_interval": [2, 3]}
    >>> print(steps_table({"cosine": numbers}).splitlines()[2])
    | cosine | 2.50 [2.00, 3.00] |  |  |  |  |  |
    """
    rows = [["step", *COLUMNS.values()]]
    for step, metrics in steps.items():
        cells = [with_interval(metrics, name) for name in COLUMNS]
        rows.append([STEPS[step], *cells])
    return as_table(rows) + "\n"
