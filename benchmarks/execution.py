#!/usr/bin/env python3
"""What running only the chosen experts is worth, side by side.

    python benchmarks/execution.py [--n_runs 5]

 * everything in units of one stock ECAPA_TDNN of one expert's width, run on
   the same batch in the same turn
 * variants take turns; the ratio is taken turn by turn and its median
   printed
 * the padded batch is compared with stock on the same batch, which is not
   exact there, and with stock on each utterance alone, which is

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import statistics
import time

import torch
from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN

from speechbrain_moe.lobes.experts import ExpertBank
from speechbrain_moe.lobes.gate import GatingCNN
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA
from speechbrain_moe.training.memory import keep_freed_memory

EXPERT = {"channels": [256] * 4 + [768]}
B, T = 16, 301


class EvenGate(GatingCNN):
    """Does the work of a gate, then sends the utterances round.

    The second choice of each is the expert after its first.
    """

    def forward(self, feats, counts):
        """Logits [B, E]: utterance b prefers expert b, modulo E."""
        logits = super().forward(feats, counts)
        rows, n_experts = torch.arange(len(logits)), logits.shape[1]
        favourites = torch.zeros_like(logits)
        favourites[rows, (rows + 1) % n_experts] = 0.5
        favourites[rows, rows % n_experts] = 1
        return favourites + 0 * logits


def mixture(n_experts=4, selection="top_k", top_k=1, n_shared=0, **more):
    """A mixture whose gate spreads utterances over all experts."""
    torch.manual_seed(0)
    model = MoEECAPA(
        EvenGate(n_experts=n_experts),
        ExpertBank(n_experts, expert=EXPERT, n_shared_blocks=n_shared),
        selection,
        top_k,
        **more,
    )
    model.train()(torch.randn(B, T, 80))
    return model


def forward(model):
    """Run a model on a batch of one length, in evaluation mode."""
    feats = torch.randn(B, T, 80)

    def run():
        model.eval()
        with torch.no_grad():
            model(feats)

    return run


def step(model):
    """One training step, forward and back."""
    feats = torch.randn(B, T, 80)

    def run():
        model.train().zero_grad()
        model(feats).sum().backward()

    return run


def padded(model):
    """A batch of 16 lengths between a third and all of the frames."""
    feats = torch.randn(B, T, 80)
    counts = torch.linspace(T // 3, T, B).long()

    def run():
        model.eval()
        with torch.no_grad():
            model(feats, counts / T)

    return run


def one_by_one(model):
    """The same utterances, each alone."""
    feats = torch.randn(B, T, 80)
    counts = torch.linspace(T // 3, T, B).long().tolist()

    def run():
        model.eval()
        with torch.no_grad():
            for row, n in enumerate(counts):
                model(feats[row : row + 1, :n])

    return run


def tables():
    """Name of each table, its base, and the variants measured against it."""
    stock = ECAPA_TDNN(80, **EXPERT)
    one = mixture(1, "uniform")
    top_1, top_2, soft = mixture(), mixture(top_k=2), mixture(4, "soft")
    shared = mixture(4, "soft", n_shared=4)
    sparse = {k: mixture(top_k=k, execution="sparse") for k in (1, 2)}
    return {
        "inference": (
            forward(stock),
            {
                "one expert, driven by stages": forward(one),
                "top-1 of 4": forward(top_1),
                "top-1 of 8": forward(mixture(8)),
                "top-2 of 4": forward(top_2),
                "soft over 4": forward(soft),
                "soft over 4, 4 blocks shared": forward(shared),
            },
        ),
        "one at a time": (
            one_by_one(stock),
            {
                "top-1 of 4": one_by_one(top_1),
                "top-1 of 8": one_by_one(mixture(8)),
            },
        ),
        "training step": (
            step(stock),
            {
                "one expert, driven by stages": step(one),
                "top-1 of 4, dense": step(top_1),
                "top-1 of 4, sparse": step(sparse[1]),
                "top-2 of 4, sparse": step(sparse[2]),
                "soft over 4, 4 blocks shared": step(shared),
            },
        ),
        "padded batch": (
            padded(stock),
            {
                "one expert, padded batch": padded(one),
                "stock, one by one": one_by_one(stock),
            },
        ),
    }


def ratios(base, variants, n_runs):
    """Median over turns of each variant's time over the base's."""
    found = {name: [] for name in variants}
    for turn in range(n_runs + 1):
        base_s = seconds(base)
        for name, variant in variants.items():
            ratio = seconds(variant) / base_s
            if turn:  # the first warms up
                found[name].append(ratio)
    return {name: statistics.median(values) for name, values in found.items()}


def seconds(run):
    """How long a call takes."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n_runs", type=int, default=5)
    given = parser.parse_args()
    keep_freed_memory()
    print("| what | variant | times one stock expert |")
    print("| --- | --- | --- |")
    for what, (base, variants) in tables().items():
        for name, ratio in ratios(base, variants, given.n_runs).items():
            print(f"| {what} | {name} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
