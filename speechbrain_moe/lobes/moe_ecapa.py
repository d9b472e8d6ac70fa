"""The mixture: gate, experts and their sum, in one module.

 * one module and one ``forward``: SpeechBrain wraps each module for DDP on
   its own, and its pretrained interfaces know only ``forward(feats, lens)``
 * the gate sees un-normalised log-mel (channel and timbre are in the mean),
   the experts see features with the sentence mean removed
 * expert embeddings are brought to unit length before they are summed, so
   that all experts speak one language whichever of them ran
 * training runs every expert and masks by weights; inference runs only the
   chosen ones; nothing at inference is random or depends on batch mates

Shape letters: B batch, T frames, M mels, E experts, K chosen, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.lobes.padding import (
    frame_counts,
    frame_mask,
    remove_level,
    remove_mean,
)
from speechbrain_moe.lobes.selection import (
    check_selection,
    select_experts,
    straight_through_weights,
)


class Routing(NamedTuple):
    """What the gate said and what became of it, for each utterance.

    Arguments
    ---------
    gate_logits : torch.Tensor
        Scores of the experts [B, E], float32, unbounded.
    gate_probs : torch.Tensor
        Their softmax [B, E], rows sum to 1.
    expert_ids : torch.Tensor
        Experts that count [B, K], int64.
    expert_weights : torch.Tensor
        Their weights [B, K], rows sum to 1.
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


class MoEECAPA(nn.Module):
    """Unit-length speaker embeddings from a gated bank of ECAPA-TDNNs.

    A mixture of experts as in Shazeer et al., 2017
    (https://arxiv.org/abs/1701.06538), with one decision per utterance and
    the sum taken over unit-length embeddings:
    ``embedding = normalise(sum_k w_k * normalise(expert_k))``.
    With one expert and the uniform selection it is a plain ECAPA-TDNN.

    Arguments
    ---------
    gate : torch.nn.Module
        Maps (feats, frame counts) to gate_logits [B, E]. Not kept when the
        selection is ``uniform``, which asks no gate.
    experts : torch.nn.Module
        The bank, an ``ExpertBank``.
    selection : str
        ``soft``, ``top_k`` or ``uniform``.
    top_k : int
        Experts per utterance for ``top_k``.
    gate_input : str
        ``raw``: log-mel less one scalar per utterance; ``normalised``: what
        the experts see.

    Raises
    ------
    HyperparameterError
        If a value is out of range; the message names the yaml key.

    Example
    -------
    >>> from speechbrain_moe.lobes.gate import GatingCNN
    >>> from speechbrain_moe.lobes.experts import ExpertBank
    >>> small = {"channels": [8, 8, 8, 8, 24], "res2net_scale": 2}
    >>> model = MoEECAPA(
    ...     GatingCNN(n_experts=4), ExpertBank(4, emb_dim=16, expert=small)
    ... ).eval()
    >>> feats = torch.randn(2, 40, 80)
    >>> model(feats, torch.ones(2)).shape
    torch.Size([2, 1, 16])
    >>> embedding, routing = model(feats, torch.ones(2), return_routing=True)
    >>> routing.expert_ids.shape
    torch.Size([2, 1])
    """

    def __init__(
        self, gate, experts, selection="top_k", top_k=1, gate_input="raw"
    ):
        super().__init__()
        self.n_experts = len(experts.experts)
        check_selection(selection, top_k, self.n_experts)
        if gate_input not in ("raw", "normalised"):
            raise HyperparameterError(
                f"gate_input is {gate_input!r}: choose raw or normalised"
            )
        self.gate = None if selection == "uniform" else gate
        self.experts = experts
        self.selection = selection
        self.top_k = top_k
        self.gate_input = gate_input

    def forward(self, feats, lengths=None, return_routing=False):
        """Embed utterances.

        Arguments
        ---------
        feats : torch.Tensor
            Log-mel features, not normalised [B, T, M]. What padded frames
            hold has no effect.
        lengths : torch.Tensor, optional
            Relative lengths [B], in (0, 1]; without them only frames that
            ``MarkedFbank`` marked are padding.
        return_routing : bool
            Whether to return the routing too.

        Returns
        -------
        torch.Tensor
            Embeddings [B, 1, D] of length 1.
        Routing
            Only with return_routing.

        Raises
        ------
        InputError
            If the lengths do not fit the features.
        """
        counts = frame_counts(feats, lengths)
        mask = frame_mask(counts, feats.shape[1])
        normalised = remove_mean(feats, mask)
        gate_feats = normalised
        if self.gate_input == "raw":
            gate_feats = remove_level(feats, mask)
        gate_logits = self._gate_logits(gate_feats, counts)
        gate_probs = gate_logits.softmax(dim=1)
        chosen = select_experts(gate_probs, self.selection, self.top_k)

        raw, weights = self._run_experts(normalised, counts, gate_probs, chosen)
        embedding, norm, agreement = aggregate(raw, weights)
        if not return_routing:
            return embedding
        return embedding, Routing(
            gate_logits, gate_probs, *chosen, norm, agreement
        )

    def _gate_logits(self, gate_feats, counts):
        """Logits of the gate, or zeros where no gate is asked."""
        if self.gate is None:
            return gate_feats.new_zeros(
                len(gate_feats), self.n_experts, dtype=torch.float32
            )
        return self.gate(gate_feats, counts)

    def _run_experts(self, feats, counts, gate_probs, chosen):
        """Raw embeddings and the weights they are summed with."""
        if self.training:
            weights = straight_through_weights(gate_probs, chosen)
            return self.experts.run_all(feats, counts), weights
        raw = self.experts(feats, counts, chosen.expert_ids)
        return raw, chosen.expert_weights


def aggregate(raw, weights):
    """Unit-length embedding from the weighted sum of unit-length experts.

    Arguments
    ---------
    raw : torch.Tensor
        Embeddings as the experts gave them [B, K, D].
    weights : torch.Tensor
        Weights of the sum [B, K], rows sum to 1.

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
    mixed = (weights.unsqueeze(2) * F.normalize(raw, dim=2)).sum(1)
    norm = (weights * raw.norm(dim=2)).sum(1)
    embedding = F.normalize(mixed, dim=1).unsqueeze(1)
    return embedding, norm, mixed.norm(dim=1)


class PassThrough(nn.Module):
    """Its input, unchanged: for slots that stock interfaces want filled.

    ``mean_var_norm`` stands here because MoEECAPA normalises inside, with the
    padding masked; ``mean_var_norm_emb`` because embeddings have length 1
    already, which any shift would undo.

    Example
    -------
    >>> PassThrough()(torch.ones(1, 2), torch.ones(1)).tolist()
    [[1.0, 1.0]]
    """

    def forward(self, x, lengths=None):
        """Return x as it came.

        Arguments
        ---------
        x : torch.Tensor
            Anything.
        lengths : torch.Tensor, optional
            Not looked at.

        Returns
        -------
        torch.Tensor
            x itself.
        """
        return x
