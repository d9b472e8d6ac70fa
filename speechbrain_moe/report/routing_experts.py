"""What each expert is worth: error rates without it, and with it alone.

 * recomputed from the raw embeddings of all experts; the model is not
   needed, and no file is read again
 * an expert is left out by asking the gate for its next choice, so that
   every file still has an embedding
 * intervals are over speakers
 * the EER of trials picked by their routes misleads, so both error rates
   at the threshold of all trials stand beside it

Shape letters: E experts of the gate, A those and the always-on one, K
chosen, D emb_dim, U files, N trials.

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import numpy as np

from speechbrain_moe.scoring.intervals import bootstrap_interval
from speechbrain_moe.scoring.metrics import equal_error_rate
from speechbrain_moe.scoring.speakers import speakers_of
from speechbrain_moe.scoring.trials import Trials, trial_scores


def unit(rows):
    """Give vectors the length one.

    Arguments
    ---------
    rows : numpy.ndarray
        Vectors in the last axis, none of them zero.

    Returns
    -------
    numpy.ndarray
        The same directions, float64.

    Example
    -------
    >>> unit(np.array([[3.0, 4.0]])).tolist()
    [[0.6, 0.8]]
    """
    rows = np.asarray(rows, dtype=np.float64)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def mix(raw, weights):
    """Sum the experts' unit embeddings, as the mixture does.

    Arguments
    ---------
    raw : numpy.ndarray
        Embeddings of all experts [U, A, D].
    weights : numpy.ndarray
        Weights of the sum [U, A].

    Returns
    -------
    numpy.ndarray
        Embeddings [U, D], not normalised, float64.

    Example
    -------
    >>> mix(np.array([[[2.0, 0.0], [0.0, 3.0]]]), np.array([[0.5, 0.5]]))
    array([[0.5, 0.5]])
    """
    return np.einsum("uad,ua->ud", unit(raw), weights)


def weights_without(collected, left_out):
    """Weights of the sum as they would be with one expert less.

    The gate's probabilities of the other experts decide, with the model's
    own selection; weights are scaled to sum to one again.

    Arguments
    ---------
    collected : dict of numpy.ndarray
        What ``read_routing`` returned.
    left_out : int
        Expert in 0..A-1.

    Returns
    -------
    numpy.ndarray
        Weights [U, A], rows sum to 1, zero for the expert left out.

    Example
    -------
    >>> collected = {
    ...     "gate_probs": np.array([[0.6, 0.3, 0.1]]),
    ...     "expert_bias": np.zeros(3),
    ...     "weights": np.array([[1.0, 0.0, 0.0]]),
    ...     "selection": "top_k", "top_k": 1, "always_on_weight": 0.0,
    ... }
    >>> weights_without(collected, 0).tolist()
    [[0.0, 1.0, 0.0]]
    """
    probs = np.asarray(collected["gate_probs"], dtype=np.float64)
    n_files, E = probs.shape
    always_on = float(collected["always_on_weight"])
    weights = np.zeros(collected["weights"].shape)
    if left_out == E:  # the always-on expert
        weights[:, :E] = collected["weights"][:, :E] / (1 - always_on)
        return weights
    kept = np.delete(np.arange(E), left_out)
    chosen = _choose(collected, probs[:, kept], kept)
    # a probability that float32 rounded to 0 still ranks and divides
    shares = chosen * (probs[:, kept] + 1e-12)
    if str(collected["selection"]) == "uniform":
        shares = chosen.astype(np.float64)
    weights[:, kept] = shares / shares.sum(1, keepdims=True)
    weights *= 1 - always_on
    if always_on:
        weights[:, E] = always_on
    return weights


def _choose(collected, probs, kept):
    """Return which of the kept experts run for each file, bool."""
    top_k = int(collected["top_k"])
    if str(collected["selection"]) != "top_k" or top_k >= len(kept):
        return np.ones(probs.shape, dtype=bool)
    scores = probs + collected["expert_bias"][kept]
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
    chosen = np.zeros(probs.shape, dtype=bool)
    np.put_along_axis(chosen, best, True, axis=1)
    return chosen


def expert_similarity(raw):
    """Mean cosine of two experts' embeddings of the same file.

    Arguments
    ---------
    raw : numpy.ndarray
        Embeddings of all experts [U, A, D].

    Returns
    -------
    numpy.ndarray
        Symmetric, ones on the diagonal [A, A], in [-1, 1].

    Example
    -------
    >>> raw = np.array([[[1.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [5.0, 0.0]]])
    >>> expert_similarity(raw).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    units = unit(raw)
    return np.einsum("uad,ubd->ab", units, units) / len(units)


def expert_errors(collected, trials: Trials, n_resamples: int, seed: int):
    """EER of the mixture, without each expert, and with each alone.

    Arguments
    ---------
    collected : dict of numpy.ndarray
        What ``read_routing`` returned.
    trials : Trials
        Their files are among the collected ones.
    n_resamples : int
        Draws of speakers behind each interval.
    seed : int
        Seed of the draws, the same for all.

    Returns
    -------
    dict
        whole: interval of the mixture; without and alone: one interval per
        expert, ``without`` empty where there is only one. An interval is a
        dict with estimate, low, high, level, n_resamples; EERs in %.
    """
    raw, paths = collected["raw"], collected["paths"].tolist()
    speakers = speakers_of(trials.enrol), speakers_of(trials.test)

    def eer_of(embeddings):
        scores = trial_scores(embeddings, paths, trials)
        return _interval(
            _eer, trials.labels, scores, speakers, n_resamples, seed
        )

    experts = range(raw.shape[1])
    left_out = experts if len(experts) > 1 else ()
    if collected["gate_probs"].shape[1] == 1:  # its only expert must stay
        left_out = [i for i in left_out if i > 0]
    return {
        "whole": eer_of(collected["embedding"]),
        "without": {
            str(i): eer_of(mix(raw, weights_without(collected, i)))
            for i in left_out
        },
        "alone": {str(i): eer_of(raw[:, i]) for i in experts},
    }


def route_errors(
    routes, scores, trials: Trials, paths, n_resamples: int, seed: int
):
    """Errors of trials whose sides took the same route, and different ones.

    Arguments
    ---------
    routes : numpy.ndarray
        Expert of each file [U].
    scores : numpy.ndarray
        Scores of the mixture [N].
    trials : Trials
        The comparisons.
    paths : list of str
        File of each route, U.
    n_resamples : int
        Draws of speakers behind each interval.
    seed : int
        Seed of the draws.

    Returns
    -------
    dict
        threshold: that of the EER over all trials; split_targets and
        split_nontargets: share in % whose sides took different routes; same
        and cross: dicts with n_targets, n_nontargets, and in % eer, miss and
        false_alarm (both at the threshold), each an interval, or None where
        the group lacks a class of trials.
    """
    route_of = dict(zip(paths, routes))
    split = np.array(
        [route_of[e] != route_of[t] for e, t in zip(trials.enrol, trials.test)]
    )
    speakers = np.array([speakers_of(trials.enrol), speakers_of(trials.test)])
    threshold = equal_error_rate(trials.labels, scores).threshold
    targets = trials.labels == 1

    def errors_of(group):
        labels = trials.labels[group]
        counts = np.bincount(labels, minlength=2)
        metrics = {"eer": _eer, **_rates_at(threshold)}
        given = labels, scores[group], speakers[:, group], n_resamples, seed
        both = counts.min() > 0
        return {
            "n_targets": int(counts[1]),
            "n_nontargets": int(counts[0]),
            **{
                k: _interval(m, *given) if both else None
                for k, m in metrics.items()
            },
        }

    return {
        "threshold": threshold,
        "split_targets": 100.0 * float(split[targets].mean()),
        "split_nontargets": 100.0 * float(split[~targets].mean()),
        "same": errors_of(~split),
        "cross": errors_of(split),
    }


def _eer(labels, scores, weights):
    """Return the EER in %."""
    return equal_error_rate(labels, scores, weights).eer


def _rates_at(threshold):
    """Return the metrics miss and false_alarm, in %, at a threshold."""

    def rate(label, labels, scores, weights):
        of_class = labels == label
        wrong = (scores >= threshold) != (label == 1)
        return 100.0 * np.average(wrong[of_class], weights=weights[of_class])

    return {
        "miss": lambda *given: rate(1, *given),
        "false_alarm": lambda *given: rate(0, *given),
    }


def _interval(metric, labels, scores, speakers, n_resamples, seed):
    """Return a bootstrap interval over speakers as a dict."""
    interval = bootstrap_interval(
        metric, labels, scores, *speakers, n_resamples=n_resamples, seed=seed
    )
    return interval._asdict()
