"""The mixture: gate, experts and their sum, in one module.

 * one module and one ``forward``: SpeechBrain wraps each module for DDP on
   its own, and its pretrained interfaces know only ``forward(feats, lens)``
 * the gate sees un-normalised log-mel (channel and timbre are in the mean),
   the experts see features with the sentence mean removed
 * ``dense`` training runs every expert and masks by weights, ``sparse``
   training and inference run only the chosen ones
 * gate noise and expert dropout act in training alone; nothing at inference
   is random or depends on batch mates

Shape letters: B batch, T frames, M mels, E experts, K chosen, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

import torch
from torch import nn

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.lobes.aggregate import Routing, aggregate
from speechbrain_moe.lobes.experts import check_batch
from speechbrain_moe.lobes.padding import (
    frame_counts,
    frame_mask,
    remove_level,
    remove_mean,
)
from speechbrain_moe.lobes.selection import (
    add_rival,
    check_choice,
    check_selection,
    check_share,
    drop_experts,
    select_experts,
    straight_through_weights,
)

EXECUTIONS = ("dense", "sparse")
GATE_INPUTS = ("raw", "normalised")


class MoEECAPA(nn.Module):
    """Unit-length speaker embeddings from a gated bank of ECAPA-TDNNs.

    A mixture of experts as in Shazeer et al., 2017
    (https://arxiv.org/abs/1701.06538), with one decision per utterance and
    the sum taken over unit-length embeddings:
    ``embedding = normalise(sum_k w_k * normalise(expert_k))``.
    One expert and the uniform selection make a plain ECAPA-TDNN.

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
    execution : str
        What training runs. ``dense``: all experts, with weights that mask.
        ``sparse``: the chosen ones, and for top_k 1 one rival more, drawn
        by probability, so that the gate has something to learn from.
    gate_noise : float
        Standard deviation of noise on the logits in training, at least 0.
    expert_dropout : float
        Share of the experts taken out of each choice in training, in [0, 1).
    always_on_weight : float
        Share of the bank's always-on expert in the sum, in [0, 1); above 0
        just when the bank has one.

    Attributes
    ----------
    expert_bias : torch.Tensor
        Buffer [E], added to the probabilities for the choice of ``top_k``;
        zero unless loss-free balancing moves it.
    gate_temperature : torch.Tensor
        Buffer, scalar above 0 that divides the logits; 1 unless a schedule
        sets it.

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
    >>> model(feats).shape
    torch.Size([2, 1, 16])
    >>> model(feats, return_routing=True)[1].expert_ids.shape
    torch.Size([2, 1])
    """

    # What sums the experts; a subclass may sum otherwise
    mix = staticmethod(aggregate)

    def __init__(
        self,
        gate,
        experts,
        selection="top_k",
        top_k=1,
        gate_input="raw",
        execution="dense",
        gate_noise=0.0,
        expert_dropout=0.0,
        always_on_weight=0.0,
    ):
        super().__init__()
        self.n_experts = experts.n_experts
        check_selection(selection, top_k, self.n_experts)
        check_choice("gate_input", gate_input, GATE_INPUTS)
        check_choice("execution", execution, EXECUTIONS)
        check_share("expert_dropout", expert_dropout)
        check_share("always_on_weight", always_on_weight)
        if bool(always_on_weight) != experts.always_on:
            raise HyperparameterError(
                f"always_on_weight is {always_on_weight!r} and the bank's "
                f"always_on {experts.always_on}: give both or neither"
            )
        if not gate_noise >= 0:
            raise HyperparameterError(
                f"gate_noise is {gate_noise!r}: choose 0 or more"
            )
        self.gate = None if selection == "uniform" else gate
        self.experts = experts
        self.selection = selection
        self.top_k = top_k
        self.gate_input = gate_input
        self.execution = execution
        self.gate_noise = gate_noise
        self.expert_dropout = expert_dropout
        self.always_on_weight = always_on_weight
        kept = {"persistent": self.gate is not None}
        self.register_buffer("expert_bias", torch.zeros(self.n_experts), **kept)
        self.register_buffer("gate_temperature", torch.tensor(1.0), **kept)

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
            If the lengths do not fit the features; in training, for a batch
            of one utterance.
        """
        if self.training:
            check_batch(feats)
        counts, normalised, gate_feats = self.prepare(feats, lengths)
        gate_logits = self._gate_logits(gate_feats, counts)
        probs = self._probs_to_choose_by(gate_logits)
        chosen = select_experts(
            probs, self.selection, self.top_k, self.expert_bias
        )
        raw, weights = self._run_experts(normalised, counts, probs, chosen)
        embedding, norm, agreement = self.mix(
            raw, weights, self.always_on_weight
        )
        if not return_routing:
            return embedding
        gate_probs = (gate_logits / self.gate_temperature).softmax(dim=1)
        return embedding, Routing(
            gate_logits, gate_probs, *chosen, norm, agreement
        )

    def prepare(self, feats, lengths=None):
        """What experts and gate are given.

        Arguments
        ---------
        feats : torch.Tensor
            Log-mel features, not normalised [B, T, M].
        lengths : torch.Tensor, optional
            Relative lengths [B], as for ``forward``.

        Returns
        -------
        torch.Tensor
            Valid frames [B], int64.
        torch.Tensor
            Features of the experts [B, T, M]: mean of each mel removed.
        torch.Tensor
            Features of the gate [B, T, M], by ``gate_input``.
        """
        counts = frame_counts(feats, lengths)
        mask = frame_mask(counts, feats.shape[1])
        normalised = remove_mean(feats, mask)
        if self.gate_input == "normalised":
            return counts, normalised, normalised
        return counts, normalised, remove_level(feats, mask)

    @property
    def _has_rival(self):
        """Whether training runs one expert more than the one chosen."""
        one_chosen = self.selection == "top_k" and self.top_k == 1
        return self.execution == "sparse" and one_chosen and self.n_experts > 1

    def _gate_logits(self, gate_feats, counts):
        """Logits of the gate, or zeros where no gate is asked."""
        if self.gate is None:
            return gate_feats.new_zeros(
                len(gate_feats), self.n_experts, dtype=torch.float32
            )
        return self.gate(gate_feats, counts)

    def _probs_to_choose_by(self, gate_logits):
        """The gate's probabilities; in training with noise and dropout."""
        # The even weights of the uniform selection stay even
        if self.training and self.gate_noise and self.gate is not None:
            noise = torch.randn_like(gate_logits)
            gate_logits = gate_logits + self.gate_noise * noise
        if self.training and self.expert_dropout:
            n_kept = self.top_k if self.selection == "top_k" else 1
            n_kept = min(n_kept + self._has_rival, self.n_experts)
            gate_logits = drop_experts(gate_logits, self.expert_dropout, n_kept)
        return (gate_logits / self.gate_temperature).softmax(dim=1)

    def _run_experts(self, feats, counts, probs, chosen):
        """Raw embeddings and the weights they are summed with."""
        if not self.training:
            raw = self.experts(feats, counts, chosen.expert_ids)
            return raw, chosen.expert_weights
        if self.execution == "dense":
            weights = straight_through_weights(probs, chosen)
            return self.experts.run_all(feats, counts), weights
        if self._has_rival:
            chosen = add_rival(probs, chosen)
        weights = straight_through_weights(probs, chosen)
        raw = self.experts(feats, counts, chosen.expert_ids)
        return raw, weights.gather(1, chosen.expert_ids)


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
