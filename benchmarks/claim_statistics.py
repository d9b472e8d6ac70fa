"""What the stored scores say: intervals, comparisons, what can be detected.

 * every interval resamples the speakers, anew from the scores each time
 * comparisons are of the same trials, on the folds that both systems ran
 * the intervals know of other speakers, not of another seed of training
 * minDCF comes without an interval: its percentile intervals sit too low

Authors
 * The speechbrain_moe developers 2026
"""

from typing import NamedTuple

import numpy as np

from speechbrain_moe.scoring.intervals import (
    Interval,
    bootstrap_interval,
    percentiles,
)
from speechbrain_moe.scoring.metrics import equal_error_rate, min_dcf
from speechbrain_moe.scoring.paired import PairedDifference, paired_bootstrap
from speechbrain_moe.scoring.speaker_draws import resample_metric

LISTS = ("clean", "noisy")
LEVEL = 0.95
N_RESAMPLES = 1000
# 1.96 + 0.84 standard errors: two-sided 5 %, power 80 %
POWER_FACTOR = 2.8
P_TARGET = 0.01
# What the endpoint's mixture is set against besides its own control
CONTROLS = ("c_equal_params", "d_uniform", "e_shuffled")
UNTOUCHED_FOLD = 0  # none of its speakers took part in tuning or ideas


class Summary(NamedTuple):
    """A system on one trial list: its rows, EER and minDCF."""

    rows: list
    eer: Interval
    min_dcf: float


class Comparison(NamedTuple):
    """A system against another one on the folds that both ran."""

    system: str
    against: str
    trial_list: str
    folds: list
    eer: float
    against_eer: float
    paired: PairedDifference


class Detectable(NamedTuple):
    """How small a relative difference the endpoint's pair could show."""

    trial_list: str
    folds: list
    n_speakers: int
    n_targets: int
    n_nontargets: int
    half_width: float
    standard_error: float


def eer(labels, scores, weights=None):
    """EER in percent."""
    return equal_error_rate(labels, scores, weights).eer


def summarise(results, group, system, trial_list, n_resamples):
    """EER with interval and minDCF on all folds that the system ran.

    Arguments
    ---------
    results : claim_results.Results
        The stored results.
    group, system, trial_list : str
        As in the rows.
    n_resamples : int
        Draws of speakers behind the interval.

    Returns
    -------
    Summary or None
        None if the system has no scores of this list.
    """
    folds = results.common_folds(group, [system], trial_list)
    if not folds:
        return None
    pooled = results.pooled(group, system, trial_list, folds)
    rows = results.rows(group, system, trial_list)
    return Summary(
        [row for row in rows if row["fold"] in folds],
        bootstrap_interval(eer, *pooled, n_resamples, LEVEL),
        min_dcf(pooled.labels, pooled.scores, P_TARGET).min_dcf,
    )


def summarise_all(results, group, lists, n_resamples):
    """Summaries of a group: {system: {list: Summary}}, what is there."""
    found = {}
    for system in results.systems(group):
        of_lists = {
            name: summarise(results, group, system, name, n_resamples)
            for name in lists
        }
        of_lists = {name: s for name, s in of_lists.items() if s}
        if of_lists:
            found[system] = of_lists
    return found


def planned_pairs(results):
    """Pairs to compare, the endpoint first, each once.

    Arguments
    ---------
    results : claim_results.Results
        The stored results; systems that did not run are left out.

    Returns
    -------
    list of tuple of str
        The system, and the one it is compared with.
    """
    systems = results.systems("main")
    endpoint = results.endpoint()
    pairs = []
    if endpoint:
        pairs = [endpoint, *((endpoint[0], other) for other in CONTROLS)]
    for system in systems:
        control = results.rows("main", system)[0].get("control")
        pairs += [(system, control)] if control else []
    known = [p for p in pairs if set(p) <= set(systems) and p[0] != p[1]]
    return list(dict.fromkeys(known))


def compare(results, group, pair, trial_list, n_resamples, only=None):
    """The first system against the second, on their common folds.

    Arguments
    ---------
    results : claim_results.Results
        The stored results.
    group, trial_list : str
        As in the rows.
    pair : tuple of str
        The system, and the one it is compared with.
    n_resamples : int
        Draws of speakers behind interval and p-value.
    only : int, optional
        The one fold to look at.

    Returns
    -------
    Comparison or None
        None if the two have no fold in common.
    """
    folds = results.common_folds(group, pair, trial_list)
    if only is not None:
        folds = [fold for fold in folds if fold == only]
    if not folds:
        return None
    new, old = results.pooled_pair(group, pair, trial_list, folds)
    speakers = (old.enrol, old.test)
    scores = (old.scores, new.scores)
    paired = paired_bootstrap(
        eer, old.labels, *scores, *speakers, n_resamples, LEVEL
    )
    eers = eer(new.labels, new.scores), eer(old.labels, old.scores)
    return Comparison(*pair, trial_list, folds, *eers, paired)


def compare_all(results, n_resamples):
    """Comparison of every planned pair on both lists, what is there.

    The endpoint's stands twice: on all folds, and on the fold that no
    choice has seen.
    """
    pairs = [(pair, None) for pair in planned_pairs(results)]
    if results.endpoint():
        pairs.insert(1, (results.endpoint(), UNTOUCHED_FOLD))
    found = [
        compare(results, "main", pair, trial_list, n_resamples, only)
        for pair, only in pairs
        for trial_list in LISTS
    ]
    return [comparison for comparison in found if comparison]


def detectable(results, trial_list, n_resamples):
    """Spread of the endpoint's relative difference over draws of speakers.

    Arguments
    ---------
    results : claim_results.Results
        The stored results.
    trial_list : str
        One of LISTS.
    n_resamples : int
        Draws of speakers.

    Returns
    -------
    Detectable or None
        Shares of the ECAPA's EER; None if the pair has not run.
    """
    pair = results.endpoint()
    folds = pair and results.common_folds("main", pair, trial_list)
    if not folds:
        return None
    new, old = results.pooled_pair("main", pair, trial_list, folds)
    scores, speakers = (old.scores, new.scores), (old.enrol, old.test)
    _, drawn = resample_metric(
        eer, old.labels, scores, *speakers, n_resamples, seed=0
    )
    relative = drawn[:, 1] / drawn[:, 0] - 1
    low, high = percentiles(relative, LEVEL)
    n_targets = int(old.labels.sum())
    return Detectable(
        trial_list,
        folds,
        len(np.unique(speakers)),
        n_targets,
        len(old.labels) - n_targets,
        (high - low) / 2,
        float(relative.std(ddof=1)),
    )
