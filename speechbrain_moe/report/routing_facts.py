"""The routing report: where a mixture sends files, and what it gains by it.

 * computed from the arrays that were collected; the model is not needed
 * every figure of the page is in the JSON, and the page is drawn from it
 * bad arrays are refused: the sum of the experts must give the embedding

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.report.det import new_figure
from speechbrain_moe.report.routing_attributes import (
    attribute_facts,
    attributes_of,
    join_metadata,
)
from speechbrain_moe.report.routing_experts import (
    expert_errors,
    expert_similarity,
    mix,
    route_errors,
    unit,
)
from speechbrain_moe.report.routing_gate import (
    examples,
    load_facts,
    margin_facts,
    routes_of,
)
from speechbrain_moe.report.routing_map import embedding_map, layout_of
from speechbrain_moe.scoring.speakers import speakers_of
from speechbrain_moe.scoring.trials import Trials, trial_scores

KEYS = (
    *("paths", "embedding", "gate_probs", "weights", "agreement", "raw"),
    *("duration_s", "snr_db", "selection", "top_k", "always_on_weight"),
    "expert_bias",
)


def trials_within(trials: Trials, max_files: int, seed: int = 0) -> Trials:
    """Keep trials of a limited number of files.

    Arguments
    ---------
    trials : Trials
        The whole list.
    max_files : int
        Files that may be read, 2 or more.
    seed : int
        Seed of the draw of trials, whose files are taken until it is reached.

    Returns
    -------
    Trials
        All trials between the files taken, in the order of the list.

    Raises
    ------
    InputError
        If max_files is below 2.

    Example
    -------
    >>> sides = ["a/1", "b/1", "c/1"], ["a/2", "a/1", "b/1"]
    >>> len(trials_within(Trials(np.array([1, 0, 0]), *sides), 2).labels)
    1
    """
    if max_files < 2:
        raise InputError(f"max_files is {max_files}; give 2 or more")
    taken = set()
    for i in np.random.default_rng(seed).permutation(len(trials.labels)):
        wanted = taken | {trials.enrol[i], trials.test[i]}
        if len(wanted) <= max_files:
            taken = wanted
    kept = [
        i
        for i, sides in enumerate(zip(trials.enrol, trials.test))
        if taken.issuperset(sides)
    ]
    return Trials(
        trials.labels[kept],
        [trials.enrol[i] for i in kept],
        [trials.test[i] for i in kept],
    )


def check_plots() -> None:
    """Raise unless the packages that draw a report are installed.

    Raises
    ------
    MissingPackageError
        If one is missing; the message gives the pip line.

    Example
    -------
    >>> check_plots()
    """
    new_figure(1.0, 1.0)
    layout_of(1.0, seed=0)


def read_routing(path) -> dict:
    """Read the arrays of a mixture's routing, and see that they agree.

    Arguments
    ---------
    path : str or Path
        The .npz that ``speechbrain-moe report`` collected.

    Returns
    -------
    dict of numpy.ndarray
        By name.

    Raises
    ------
    InputError
        If the file is missing, damaged, lacks an array, or its embeddings
        are not the weighted sums of its experts.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; collect the routing first")
    try:
        # opened here: np.load leaves a damaged file open
        with open(path, "rb") as stream:
            collected = dict(np.load(stream, allow_pickle=False))
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: not a whole .npz ({error}); collect the routing again"
        ) from error
    missing = [key for key in KEYS if key not in collected]
    if missing:
        raise InputError(
            f"{path} lacks {', '.join(missing)}; collect the routing again"
        )
    rebuilt = unit(mix(collected["raw"], collected["weights"]))
    cosines = np.sum(rebuilt * unit(collected["embedding"]), axis=1)
    if cosines.min() < 0.999:
        raise InputError(
            f"{path}: the embedding of {collected['paths'][cosines.argmin()]} "
            "is not the weighted sum of its experts (cosine "
            f"{cosines.min():.3f}); collect the routing again"
        )
    return collected


def routing_facts(
    collected,
    trials: Trials,
    table=None,
    columns=(),
    seed: int = 0,
    n_resamples: int = 1000,
) -> dict:
    """Compute every figure of the routing report.

    Arguments
    ---------
    collected : dict of numpy.ndarray
        What ``read_routing`` returned.
    trials : Trials
        Comparisons between its files.
    table : pandas.DataFrame, optional
        What ``read_metadata`` returned.
    columns : sequence of str
        Columns of the table to set routes against, beside gender and age.
    seed : int
        Seed of resamples, permutations and the map.
    n_resamples : int
        Draws behind each interval and each permutation test.

    Returns
    -------
    dict
        Plain values, ready for JSON: about, errors, similarity, map and,
        None where there is nothing to route, load, margin, attributes,
        routes, examples. Of routes, ``routed`` is scored by the mixture and
        ``even``, the same trials, by all experts with equal weights.

    Raises
    ------
    InputError
        If the table does not fit the files, or a trial's file was not
        collected.
    """
    paths = collected["paths"].tolist()
    joined = None if table is None else join_metadata(paths, table)
    attributes = attributes_of(collected, joined, columns)
    routes = routes_of(collected)
    facts = {
        "about": about(collected, trials, seed),
        "errors": expert_errors(collected, trials, n_resamples, seed),
        "similarity": expert_similarity(collected["raw"]).tolist(),
        "map": embedding_map(collected["embedding"], routes, seed),
        **dict.fromkeys(("load", "margin", "attributes", "routes", "examples")),
    }
    if routes is None:
        return facts
    E = collected["gate_probs"].shape[1]
    scores = trial_scores(collected["embedding"], paths, trials)
    facts["load"] = load_facts(routes, collected["gate_probs"])
    facts["margin"] = margin_facts(collected["gate_probs"])
    raw = collected["raw"]
    even = mix(raw, np.full(raw.shape[:2], 1 / raw.shape[1]))
    facts["routes"] = {
        kind: route_errors(routes, s, trials, paths, n_resamples, seed)
        for kind, s in (
            ("routed", scores),
            ("even", trial_scores(even, paths, trials)),
        )
    }
    facts["attributes"] = {
        name: attribute_facts(
            routes, E, speakers_of(paths), values, n_resamples, seed
        )
        for name, values in attributes.items()
    }
    facts["examples"] = examples(collected, routes, attributes)
    return facts


def about(collected, trials: Trials, seed: int) -> dict:
    """What the report is about: the model's shape and the data's size.

    Arguments
    ---------
    collected : dict of numpy.ndarray
        What ``read_routing`` returned.
    trials : Trials
        Comparisons between its files.
    seed : int
        Seed of all draws.

    Returns
    -------
    dict
        Plain values.
    """
    n_targets = int(np.count_nonzero(trials.labels))
    return {
        "n_experts": int(collected["gate_probs"].shape[1]),
        "selection": str(collected["selection"]),
        "top_k": int(collected["top_k"]),
        "always_on_weight": float(collected["always_on_weight"]),
        "n_files": len(collected["paths"]),
        "n_speakers": len(set(speakers_of(collected["paths"].tolist()))),
        "n_targets": n_targets,
        "n_nontargets": len(trials.labels) - n_targets,
        "mean_agreement": float(np.mean(collected["agreement"])),
        "seed": seed,
    }
