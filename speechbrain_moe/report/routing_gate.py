"""What a gate does: routes, loads, entropies, margins, its surest files.

 * the route of a file is its expert of the largest weight
 * entropies are in nats and as a share of log E: load and route both low
   is collapse, high and high no specialisation, high and low is wanted
 * nothing to route (one expert, or a uniform selection) is no error

Shape letters: E experts of the gate, A those and the always-on one, U files.

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import numpy as np
from scipy.special import entr

DEAD_LOAD = 0.01
N_EXAMPLES = 5


def routes_of(collected):
    """Expert of the largest weight of each file.

    Arguments
    ---------
    collected : dict of numpy.ndarray
        What ``read_routing`` returned.

    Returns
    -------
    numpy.ndarray or None
        Routes [U] in 0..E-1; None where there is nothing to route: one
        expert, or a uniform selection.

    Example
    -------
    >>> probs = np.array([[0.3, 0.7]])
    >>> routes_of({"gate_probs": probs, "weights": probs, "selection": "soft"})
    array([1])
    """
    E = collected["gate_probs"].shape[1]
    if E == 1 or str(collected["selection"]) == "uniform":
        return None
    return collected["weights"][:, :E].argmax(1)


def load_facts(routes, gate_probs) -> dict:
    """Loads, importances and entropies of a gate.

    Arguments
    ---------
    routes : numpy.ndarray
        Expert of each file [U].
    gate_probs : numpy.ndarray
        Softmax of the gate [U, E].

    Returns
    -------
    dict
        load and importance (mean probability) per expert, both sum to 1;
        dead: experts of a load below 1 %; load_entropy and
        route_entropy (the mean over files) in nats, from 0 to log E, and
        as ``_share`` of log E.

    Example
    -------
    >>> facts = load_facts(np.array([0, 1]), np.eye(2))
    >>> facts["load"], facts["load_entropy_share"], facts["route_entropy"]
    ([0.5, 0.5], 1.0, 0.0)
    """
    E = gate_probs.shape[1]
    load = np.bincount(routes, minlength=E) / len(routes)
    entropies = {
        "load_entropy": float(_entropy(load)),
        "route_entropy": float(_entropy(gate_probs).mean()),
    }
    shares = {f"{k}_share": v / np.log(E) for k, v in entropies.items()}
    return {
        "load": load.tolist(),
        "importance": np.mean(gate_probs, axis=0).tolist(),
        "dead": np.flatnonzero(load < DEAD_LOAD).tolist(),
        **entropies,
        **{key: float(share) for key, share in shares.items()},
    }


def _entropy(probs):
    """Return entropies over the last axis, in nats."""
    return entr(np.asarray(probs, dtype=np.float64)).sum(-1)


def margin_facts(gate_probs) -> dict:
    """How far the gate's best expert is ahead of the second.

    Arguments
    ---------
    gate_probs : numpy.ndarray
        Softmax of the gate [U, E], E >= 2.

    Returns
    -------
    dict
        mean; quartiles (3 values); below_0_1: share of files under 0.1.

    Example
    -------
    >>> margin_facts(np.array([[0.75, 0.25], [0.5, 0.5]]))["mean"]
    0.25
    """
    ranked = np.sort(np.asarray(gate_probs, dtype=np.float64), axis=1)
    margins = ranked[:, -1] - ranked[:, -2]
    return {
        "mean": float(margins.mean()),
        "quartiles": np.quantile(margins, [0.25, 0.5, 0.75]).tolist(),
        "below_0_1": float(np.mean(margins < 0.1)),
    }


def examples(collected, routes, attributes) -> list[list[dict]]:
    """Files that each expert takes most surely.

    Arguments
    ---------
    collected : dict of numpy.ndarray
        What ``read_routing`` returned.
    routes : numpy.ndarray
        Expert of each file [U].
    attributes : dict of pandas.Series
        Labels of each file by name of the attribute.

    Returns
    -------
    list of list of dict
        For each expert up to five of its files by falling gate
        probability: path, gate_prob, weight, duration_s, attributes.
    """

    def row(i, expert):
        known = {k: v.iloc[i] for k, v in attributes.items() if k != "duration"}
        return {
            "path": str(collected["paths"][i]),
            "gate_prob": float(collected["gate_probs"][i, expert]),
            "weight": float(collected["weights"][i, expert]),
            "duration_s": float(collected["duration_s"][i]),
            "attributes": {
                k: str(v) for k, v in known.items() if isinstance(v, str)
            },
        }

    found = []
    for expert in range(collected["gate_probs"].shape[1]):
        mine = np.flatnonzero(routes == expert)
        surest = np.argsort(-collected["gate_probs"][mine, expert])[:N_EXAMPLES]
        found.append([row(i, expert) for i in mine[surest]])
    return found
