"""The weighted sum of unit-length experts, and what is told of it.

 * each expert's embedding is brought to unit length first, so that enrolment
   and test may take different experts and still be compared
 * an always-on expert takes a fixed share beside the chosen ones

Shape letters: B batch, E experts, K chosen, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F


class Routing(NamedTuple):
    """What the gate said and what became of it, for each utterance.

    Arguments
    ---------
    gate_logits : torch.Tensor
        Scores of the experts [B, E], float32, unbounded.
    gate_probs : torch.Tensor
        Their softmax at the gate's temperature [B, E], rows sum to 1; of
        the gate alone, without noise, expert dropout and bias.
    expert_ids : torch.Tensor
        Experts that count [B, K], int64.
    expert_weights : torch.Tensor
        Their weights [B, K], rows sum to 1 (an always-on expert is not
        counted).
    norm : torch.Tensor
        Weighted length of the raw embeddings [B], above 0.
    agreement : torch.Tensor
        Length of the weighted sum of unit embeddings [B], in [0, 1]; 1 when
        the chosen experts agree.
    """

    gate_logits: torch.Tensor
    gate_probs: torch.Tensor
    expert_ids: torch.Tensor
    expert_weights: torch.Tensor
    norm: torch.Tensor
    agreement: torch.Tensor


def aggregate(raw, weights, always_on_weight=0.0):
    """Unit-length embedding from the weighted sum of unit-length experts.

    Arguments
    ---------
    raw : torch.Tensor
        Embeddings as the experts gave them [B, K, D]; with an always-on
        expert [B, K + 1, D], its own last.
    weights : torch.Tensor
        Weights of the chosen experts [B, K], rows sum to 1.
    always_on_weight : float
        Share of the always-on expert in the sum, 0 where there is none.

    Returns
    -------
    torch.Tensor
        Embedding [B, 1, D], length 1.
    torch.Tensor
        Weighted length of the raw embeddings [B].
    torch.Tensor
        Length of the sum before it was normalised [B], in [0, 1].

    Example
    -------
    >>> raw = torch.tensor([[[3.0, 0.0], [0.0, 5.0]]])
    >>> embedding, norm, agreement = aggregate(raw, torch.tensor([[0.5, 0.5]]))
    >>> norm.item(), round(agreement.item(), 3)
    (4.0, 0.707)
    """
    raw = raw.float()
    if always_on_weight:
        last = torch.full_like(weights[:, :1], always_on_weight)
        weights = torch.cat([(1 - always_on_weight) * weights, last], dim=1)
    mixed = (weights.unsqueeze(2) * F.normalize(raw, dim=2)).sum(1)
    norm = (weights * raw.norm(dim=2)).sum(1)
    embedding = F.normalize(mixed, dim=1).unsqueeze(1)
    return embedding, norm, mixed.norm(dim=1)
