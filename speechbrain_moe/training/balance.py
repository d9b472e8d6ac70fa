"""How evenly experts are used, over many batches and all processes.

 * one decision an utterance: a batch holds too few to judge by, so that
   the last thousands of utterances are remembered
 * copies that augmentation made of one utterance count as one utterance
 * the loss-free bias moves by the sign of what an expert lacks

Shape letters: B batch, E experts, K chosen.

Authors
 * The speechbrain_moe developers 2026
"""

from collections import Counter

import torch
import torch.distributed as dist
from torch import nn

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.lobes.losses import expert_load


class LoadWindow(nn.Module):
    """Share of the last utterances that each expert was chosen for.

    A running mean over utterances until the window is full, from then on
    one that forgets: an utterance counts 1 / window. Its buffers belong
    into the checkpoint.

    Arguments
    ---------
    n_experts : int
        Experts to choose from, E.
    window : int
        Utterances remembered, at least 1.

    Raises
    ------
    HyperparameterError
        If the window is no whole number of 1 or more.

    Example
    -------
    >>> balance = LoadWindow(n_experts=2, window=1000)
    >>> ids, weights = torch.tensor([[0], [0], [1]]), torch.ones(3, 1)
    >>> balance.update(ids, weights, ["a", "a", "b"]).tolist()
    [0.5, 0.5]
    """

    def __init__(self, n_experts, window=2000):
        super().__init__()
        if type(window) is not int or window < 1:
            raise HyperparameterError(
                f"balance_window is {window!r}: choose a whole number of 1 or "
                "more utterances"
            )
        self.window = window
        self.register_buffer("load", torch.full((n_experts,), 1 / n_experts))
        self.register_buffer("n_seen", torch.tensor(0.0))

    @torch.no_grad()
    def update(self, expert_ids, expert_weights, sources):
        """Count a batch, those of all processes together.

        Arguments
        ---------
        expert_ids : torch.Tensor
            Chosen experts [B, K], int64.
        expert_weights : torch.Tensor
            Their weights [B, K]. They count where every expert is chosen
            (K = E); else each choice counts as one.
        sources : list
            Names the utterance that each row is a copy of; B entries.

        Returns
        -------
        torch.Tensor
            The load [E], sums to 1, this batch included.
        """
        n_experts = len(self.load)
        if expert_ids.shape[1] < n_experts:
            expert_weights = torch.ones_like(expert_weights)
        copies = Counter(sources)
        share = [1 / copies[source] for source in sources]
        share = torch.tensor(share, device=expert_ids.device)
        load = expert_load(
            expert_ids, n_experts, expert_weights * share.unsqueeze(1)
        )
        counted = torch.cat([load, load.new_ones(1)]) * len(copies)
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(counted)
        n = counted[-1]
        self.n_seen.add_(n).clamp_(max=self.window)
        rate = (n / self.n_seen).clamp(max=1)
        self.load.lerp_(counted[:-1] / n, rate.item())
        return self.load.clone()


@torch.no_grad()
def move_bias(expert_bias, load, rate):
    """Raise the bias of experts with less than their share, lower the others.

    ``b_i += rate * sign(1/E - load_i)``: Wang et al., "Auxiliary-Loss-Free
    Load Balancing Strategy for Mixture-of-Experts", 2024
    (https://arxiv.org/abs/2408.15664), algorithm 1; the load is that of a
    window, since one batch holds few decisions.

    Arguments
    ---------
    expert_bias : torch.Tensor
        Bias [E], changed in place.
    load : torch.Tensor
        Load [E], sums to 1.
    rate : float
        Step, in units of probability.

    Example
    -------
    >>> bias = torch.zeros(2)
    >>> move_bias(bias, torch.tensor([0.7, 0.3]), rate=0.001)
    >>> bias.tolist()
    [-0.0010000000474974513, 0.0010000000474974513]
    """
    expert_bias.add_(torch.sign(1 / len(load) - load), alpha=rate)
