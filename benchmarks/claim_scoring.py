"""What a trained system is worth: scores, errors, cost and routing.

 * utterances are scored whole, in padded batches of like length
 * scores are kept in half precision, and every error rate is of the scores
   as kept
 * routing figures are those of the report page

Authors
 * The speechbrain_moe developers 2026
"""

import numpy as np
import torch
from claim_train import tell_groups

from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.cost import count_cost
from speechbrain_moe.inference.routing import run_every_expert, weights_of_all
from speechbrain_moe.report.routing_experts import (
    expert_similarity,
    mix,
    route_errors,
    weights_without,
)
from speechbrain_moe.report.routing_gate import load_facts, routes_of
from speechbrain_moe.scoring.association import permutation_association
from speechbrain_moe.scoring.metrics import equal_error_rate, min_dcf
from speechbrain_moe.scoring.speakers import speakers_of
from speechbrain_moe.scoring.trials import trial_scores

CHUNK = 16


@torch.no_grad()
def collect(model, feats, rows, groups, want_raw=False):
    """Embeddings and routing of utterances, in the form of a report's npz.

    Arguments
    ---------
    model : MoEECAPA
        In evaluation mode.
    feats : numpy.ndarray
        All features [frames, mels].
    rows : pandas.DataFrame
        path, start, n of each utterance.
    groups : dict
        Group of each path, for an oracle gate.
    want_raw : bool
        Whether to run every expert on everything too.
    """
    order = np.argsort(rows.n.to_numpy(), kind="stable")
    parts = []
    for first in range(0, len(order), CHUNK):
        part = rows.iloc[order[first : first + CHUNK]]
        counts = torch.tensor(part.n.to_numpy())
        batch = torch.zeros(len(part), int(counts.max()), feats.shape[1])
        for row, (start, n) in enumerate(zip(part.start, part.n)):
            copy = feats[start : start + n].astype(np.float32)
            batch[row, :n] = torch.from_numpy(copy)
        tell_groups(model, torch.tensor([groups[p] for p in part.path]))
        parts.append(run(model, batch, counts, want_raw))
    back = np.argsort(order)
    stacked = {k: np.concatenate([p[k] for p in parts])[back] for k in parts[0]}
    return {
        **stacked,
        "paths": np.array([path.split("/", 1)[1] for path in rows.path]),
        "expert_bias": model.expert_bias.numpy(),
        "selection": model.selection,
        "top_k": model.top_k,
        "always_on_weight": model.always_on_weight,
    }


def run(model, batch, counts, want_raw):
    """The arrays of one padded batch."""
    lengths = counts / batch.shape[1]
    embedding, routing = model(batch, lengths, return_routing=True)
    n_all = len(model.experts.experts)
    weights = weights_of_all(routing, n_all, model.always_on_weight)
    arrays = {
        "embedding": embedding.squeeze(1),
        "gate_probs": routing.gate_probs,
        "weights": weights,
    }
    if want_raw:
        arrays["raw"] = run_every_expert(model, batch, lengths)
    return {k: v.double().numpy() for k, v in arrays.items()}


def measure(collected, trials, scores_path, speaker_ids):
    """Write the scores of a list; EER in % and minDCF(0.01)."""
    scores = score(collected["embedding"], collected, trials)
    kept = scores.astype(np.float16)
    sides = [
        np.array([speaker_ids[s] for s in speakers_of(side)], np.uint16)
        for side in (trials.enrol, trials.test)
    ]

    def save(path):
        with open(path, "wb") as file:
            np.savez_compressed(
                file,
                labels=trials.labels.astype(np.uint8),
                scores=kept,
                enrol_speaker=sides[0],
                test_speaker=sides[1],
            )

    write_whole(scores_path, save)
    kept = kept.astype(np.float64)
    return {
        "eer": equal_error_rate(trials.labels, kept).eer,
        "min_dcf": min_dcf(trials.labels, kept, p_target=0.01).min_dcf,
    }


def score(embeddings, collected, trials):
    """Cosine of each trial."""
    return trial_scores(embeddings, list(collected["paths"]), trials)


def cost_of(model):
    """Parameters and multiply-accumulates for 3 s, total and active."""
    tell_groups(model, None)
    return count_cost(model)._asdict()


def routing_figures(collected, trials, attributes):
    """How a mixture routed a list, and what its experts are worth."""
    routes = routes_of(collected)
    load = load_facts(routes, collected["gate_probs"])
    scores = score(collected["embedding"], collected, trials)
    paths = list(collected["paths"])
    errors = route_errors(routes, scores, trials, paths, 1, 0)
    speakers = speakers_of(paths)

    def eer_of(embeddings):
        return equal_error_rate(
            trials.labels, score(embeddings, collected, trials)
        ).eer

    raw, n_all = collected["raw"], collected["raw"].shape[1]
    return {
        "load": load["load"],
        "load_entropy": load["load_entropy_share"],
        "route_entropy": load["route_entropy_share"],
        "cross_route": cross_route(errors),
        "leave_one_out_eer": [
            eer_of(mix(raw, weights_without(collected, i)))
            for i in range(n_all)
        ],
        "single_expert_eer": [eer_of(raw[:, i]) for i in range(n_all)],
        "expert_cosine": expert_similarity(raw).round(4).tolist(),
        "mutual_information": {
            name: information(routes, [values[p] for p in paths], speakers)
            for name, values in attributes.items()
        },
    }


def information(routes, values, speakers):
    """Mutual information in nats and its p-value."""
    found = permutation_association(routes, values, speakers, 500)
    return [found.mutual_information, found.p_value]


def cross_route(errors):
    """Share of split target trials; both error rates of either group."""
    return {
        "n_target_split_share": errors["split_targets"] / 100,
        **{name: rates(errors[name]) for name in ("same", "cross")},
    }


def rates(group):
    """Miss and false-alarm shares at the threshold of all trials."""
    both = {"miss": group["miss"], "fa": group["false_alarm"]}
    return {k: v and v["estimate"] / 100 for k, v in both.items()}
