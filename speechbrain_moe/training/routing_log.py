"""What an epoch's routing looked like, in a few numbers.

 * load and load entropy tell whether experts are used evenly, the mean
   entropy of one utterance whether the gate decides: low and low is
   collapse, high and high no specialisation, high and low is wanted
 * entropies are divided by log E, so that 1 means even

Shape letters: B batch, E experts.

Authors
 * The speechbrain_moe developers 2026
"""

import torch

from speechbrain_moe.lobes.losses import balance_loss, expert_load

DEAD_LOAD = 0.01  # share of an epoch's load


class RoutingLog:
    """Sums over the batches of an epoch, those of one process.

    Copies that augmentation appended count as utterances here.

    Arguments
    ---------
    n_experts : int
        Experts to choose from, E.

    Example
    -------
    >>> from speechbrain_moe.lobes.aggregate import Routing
    >>> probs = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    >>> ids, ones = torch.tensor([[0], [1]]), torch.ones(2, 1)
    >>> log = RoutingLog(n_experts=2)
    >>> log.add(Routing(probs.log(), probs, ids, ones, ones, ones))
    >>> log.figures()["load"], log.figures()["n_dead_experts"]
    ('0.500 0.500', 0)
    """

    def __init__(self, n_experts):
        self.n_rows = 0
        self.load = torch.zeros(n_experts)
        self.probs = torch.zeros(n_experts)
        self.entropy = 0.0
        self.margin = 0.0

    @torch.no_grad()
    def add(self, routing):
        """Count a batch.

        Arguments
        ---------
        routing : Routing
            Of a training batch of B utterances.
        """
        probs = routing.gate_probs.cpu()
        n, n_experts = probs.shape
        ids, weights = routing.expert_ids.cpu(), routing.expert_weights.cpu()
        if ids.shape[1] < n_experts:
            weights = torch.ones_like(weights)
        self.n_rows += n
        self.load += n * expert_load(ids, n_experts, weights)
        self.probs += probs.sum(0)
        self.entropy += float(normalised_entropy(probs).sum())
        if n_experts > 1:
            best = probs.topk(2, dim=1).values
            self.margin += float((best[:, 0] - best[:, 1]).sum())

    def figures(self):
        """The epoch in numbers.

        Returns
        -------
        dict
            ``load`` of each expert as text; ``n_dead_experts`` with a load
            below 1 %; ``balance_over_ideal``, the balance loss of the whole
            epoch, 1 when even; ``load_entropy`` and mean
            ``route_entropy`` of an utterance, in [0, 1]; ``gate_margin``,
            mean difference of the two highest probabilities. Empty when
            nothing was counted.
        """
        if not self.n_rows:
            return {}
        load, probs = self.load / self.n_rows, self.probs / self.n_rows
        return {
            "load": " ".join(f"{share:.3f}" for share in load.tolist()),
            "n_dead_experts": int((load < DEAD_LOAD).sum()),
            "balance_over_ideal": float(balance_loss(probs[None], load)),
            "load_entropy": float(normalised_entropy(load)),
            "route_entropy": self.entropy / self.n_rows,
            "gate_margin": self.margin / self.n_rows,
        }


def normalised_entropy(probs):
    """Entropy over its maximum.

    Arguments
    ---------
    probs : torch.Tensor
        Probabilities [..., E], rows sum to 1.

    Returns
    -------
    torch.Tensor
        In [0, 1], shape [...]; 0 for one expert.

    Example
    -------
    >>> probs = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    >>> normalised_entropy(probs).round(decimals=5).tolist()
    [1.0, 0.0]
    """
    n_experts = probs.shape[-1]
    if n_experts == 1:
        return torch.zeros(probs.shape[:-1])
    entropy = torch.special.entr(probs).sum(-1)
    return entropy / torch.tensor(float(n_experts)).log()
