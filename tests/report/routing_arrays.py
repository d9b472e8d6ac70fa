"""Arrays as a mixture would give them, and trials between their files."""

import itertools

import numpy as np

from speechbrain_moe.scoring.trials import Trials

N_SPEAKERS, N_EACH, DIM = 10, 6, 12


def normalise(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def make_collected(
    selection="top_k", top_k=1, n_experts=3, always_on_weight=0.0, seed=0
):
    """Collected arrays: speakers are even or odd, and the gate hears it."""
    rng = np.random.default_rng(seed)
    speaker = np.repeat(np.arange(N_SPEAKERS), N_EACH)
    n_files, n_all = len(speaker), n_experts + (always_on_weight > 0)
    voices = rng.normal(size=(N_SPEAKERS, DIM))
    raw = voices[speaker, None] + rng.normal(size=(n_files, n_all, DIM))
    logits = rng.normal(size=(n_files, n_experts))
    logits[:, 0] += 4.0 * (speaker % 2)
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    weights = {"soft": probs, "uniform": np.full_like(probs, 1 / n_experts)}
    if selection == "top_k":
        kept = np.argsort(np.argsort(-probs, axis=1), axis=1) < top_k
        weights["top_k"] = probs * kept / (probs * kept).sum(1, keepdims=True)
    weights = weights[selection] * (1 - always_on_weight)
    if always_on_weight:
        last = np.full((n_files, 1), always_on_weight)
        weights = np.hstack([weights, last])
    mixed = np.einsum("uad,ua->ud", normalise(raw), weights)
    paths = [f"id{s}/s/{i}.wav" for i, s in enumerate(speaker)]
    return {
        "paths": np.array(paths),
        "embedding": normalise(mixed),
        "gate_probs": probs,
        "weights": weights,
        "agreement": np.linalg.norm(mixed, axis=1),
        "raw": raw,
        "duration_s": 2.0 + rng.random(n_files),
        "snr_db": 20.0 + 10 * rng.random(n_files),
        "selection": np.array(selection),
        "top_k": np.array(top_k),
        "always_on_weight": np.array(always_on_weight),
        "expert_bias": np.zeros(n_experts),
    }


def all_trials(collected):
    """Every pair of files."""
    pairs = list(itertools.combinations(collected["paths"].tolist(), 2))
    same = [e.split("/")[0] == t.split("/")[0] for e, t in pairs]
    enrol, test = zip(*pairs)
    return Trials(np.array(same, dtype=np.int64), list(enrol), list(test))
