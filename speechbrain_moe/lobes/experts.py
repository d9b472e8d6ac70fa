"""A bank of SpeechBrain's own ECAPA_TDNN, of which only chosen ones run.

 * the class and its state_dict keys are SpeechBrain's: expert i of a bank is
   ``experts.i.<keys of ECAPA_TDNN>``
 * experts may differ in kernels, dilations and widths, not in emb_dim
 * the first n blocks may be shared: expert 0 holds them for all
 * each expert runs once, on the utterances that chose it; one that nobody
   chose costs nothing
 * in training no expert gets a batch of one, which batch normalisation
   refuses, and an idle one is touched, so that DDP need not search

Shape letters: B batch, T frames, M mels, E experts, K chosen, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

import torch
from torch import nn

from speechbrain_moe.errors import HyperparameterError, InputError
from speechbrain_moe.lobes.ecapa import (
    embed,
    find_ends,
    n_stages,
    run_stages,
)
from speechbrain_moe.lobes.expert_settings import build_expert
from speechbrain_moe.lobes.gate import check_n_experts


class ExpertBank(nn.Module):
    """Raw embeddings of the chosen experts, each an ECAPA-TDNN.

    The expert is that of Desplanques et al., "ECAPA-TDNN", 2020
    (https://arxiv.org/abs/2005.07143), as SpeechBrain implements it.

    Arguments
    ---------
    n_experts : int
        Number of experts to choose from.
    input_size : int
        Mel bands of the features.
    emb_dim : int
        Size of each expert's embedding.
    expert : dict, optional
        Arguments of ``ECAPA_TDNN`` that all experts share (channels,
        kernel_sizes, dilations, attention_channels, res2net_scale,
        se_channels, global_context, groups, dropout).
    expert_overrides : list of dict, optional
        One dict for each expert with the arguments in which it differs;
        empty dicts for those that do not.
    n_shared_blocks : int
        How many of an expert's first stages (its blocks, then its MFA) all
        experts share: 0 to 5 with four blocks. They stand in expert 0.
    always_on : bool or float
        Whether there is one more expert, the last, that runs on every
        utterance and that no gate chooses (the shared expert of Dai et
        al., "DeepSeekMoE", 2024, https://arxiv.org/abs/2401.06066).

    Raises
    ------
    HyperparameterError
        If a value does not fit; the message names the yaml key.

    Example
    -------
    >>> small = {"channels": [8, 8, 8, 8, 24], "res2net_scale": 2}
    >>> bank = ExpertBank(n_experts=3, emb_dim=16, expert=small).eval()
    >>> expert_ids = torch.tensor([[2], [0]])
    >>> counts = torch.tensor([20, 15])
    >>> bank(torch.randn(2, 20, 80), counts, expert_ids).shape
    torch.Size([2, 1, 16])
    """

    def __init__(
        self,
        n_experts,
        input_size=80,
        emb_dim=192,
        expert=None,
        expert_overrides=None,
        n_shared_blocks=0,
        always_on=False,
    ):
        super().__init__()
        check_n_experts(n_experts)
        overrides = expert_overrides or [{}] * n_experts
        if len(overrides) != n_experts:
            raise HyperparameterError(
                f"expert_overrides has {len(overrides)} entries and n_experts "
                f"is {n_experts}: give one (maybe empty) dict for each expert"
            )
        if always_on:
            overrides = [*overrides, {}]
        self.n_experts = n_experts
        self.emb_dim = emb_dim
        self.always_on = bool(always_on)
        self.n_shared_blocks = n_shared_blocks
        self.experts = nn.ModuleList(
            build_expert(input_size, emb_dim, {**(expert or {}), **override})
            for override in overrides
        )
        share_blocks(self.experts, n_shared_blocks)

    def forward(self, feats, counts, expert_ids):
        """Run chosen experts, each once, on the utterances that chose it.

        Arguments
        ---------
        feats : torch.Tensor
            Normalised features [B, T, M], zero in the padding.
        counts : torch.Tensor
            Valid frames [B], int64, each in 1..T.
        expert_ids : torch.Tensor
            Chosen experts [B, K], int64, no expert twice in a row.

        Returns
        -------
        torch.Tensor
            Raw embeddings [B, K, D], in the order of expert_ids, of any
            length (not normalised); with an always-on expert [B, K + 1, D],
            its own last. Padding has no effect in evaluation mode.

        Raises
        ------
        InputError
            In training, for a batch of one utterance.
        """
        if self.training:
            check_batch(feats)
        ends = find_ends(counts, feats.shape[1])
        hidden = self._run_shared(feats, ends)
        raw = feats.new_zeros(*expert_ids.shape, self.emb_dim)
        for i in range(self.n_experts):
            rows, slots = (expert_ids == i).nonzero(as_tuple=True)
            if len(rows):
                output = self._run_on(i, hidden, ends, rows)
                raw[rows, slots] = output.to(raw.dtype)
            elif self.training:
                raw = raw + touch(self.experts[i])
        if not self.always_on:
            return raw
        last = self._run(self.n_experts, hidden, ends)
        return torch.cat([raw, last.to(raw.dtype).unsqueeze(1)], dim=1)

    def run_all(self, feats, counts):
        """Run every expert on every utterance, as dense training does.

        Arguments
        ---------
        feats : torch.Tensor
            Normalised features [B, T, M], zero in the padding.
        counts : torch.Tensor
            Valid frames [B], int64, each in 1..T.

        Returns
        -------
        torch.Tensor
            Raw embeddings [B, E, D], or [B, E + 1, D] with an always-on
            expert. Padding has no effect in evaluation mode.
        """
        ends = find_ends(counts, feats.shape[1])
        hidden = self._run_shared(feats, ends)
        outputs = [self._run(i, hidden, ends) for i in range(len(self.experts))]
        return torch.stack(outputs, dim=1)

    def _run_shared(self, feats, ends):
        """Features [B, M, T] and what the shared stages made of them."""
        hidden = [feats.transpose(1, 2)]
        return run_stages(
            self.experts[0], hidden, ends, 0, self.n_shared_blocks
        )

    def _run_on(self, i, hidden, ends, rows):
        """Raw embeddings of some utterances by expert i.

        A lone utterance of a training batch takes the next one with it:
        batch normalisation needs two. What the guest gets is thrown away.
        """
        n_rows = len(rows)
        if self.training and n_rows == 1:
            rows = torch.cat([rows, (rows + 1) % len(ends.counts)])
        if n_rows < len(ends.counts):
            hidden, ends = [h[rows] for h in hidden], ends.of(rows)
        return self._run(i, hidden, ends)[:n_rows]

    def _run(self, i, hidden, ends):
        """Raw embeddings [B, D] by expert i, after the shared stages."""
        expert = self.experts[i]
        hidden = run_stages(
            expert, hidden, ends, self.n_shared_blocks, n_stages(expert)
        )
        return embed(expert, hidden[-1], ends)


def check_batch(feats):
    """Refuse a training batch that batch normalisation cannot take.

    Arguments
    ---------
    feats : torch.Tensor
        Features [B, T, M].

    Raises
    ------
    InputError
        For a batch of one utterance.
    """
    if len(feats) < 2:
        raise InputError(
            "a training batch holds one utterance, and batch normalisation "
            "needs two: choose a larger batch_size"
        )


def share_blocks(experts, n_shared_blocks):
    """Empty the first stages of all experts but the first, in place.

    Arguments
    ---------
    experts : list of ECAPA_TDNN
        The experts.
    n_shared_blocks : int
        How many stages expert 0 keeps for all.

    Raises
    ------
    HyperparameterError
        If there are not so many stages, or an expert's differ.
    """
    most = n_stages(experts[0])
    if type(n_shared_blocks) is not int or not 0 <= n_shared_blocks <= most:
        raise HyperparameterError(
            f"n_shared_blocks is {n_shared_blocks!r}: choose 0 to {most} "
            "(the blocks of an expert, then its MFA)"
        )
    wanted = shape_of_stages(experts[0], n_shared_blocks)
    for i, expert in enumerate(experts[1:], start=1):
        if shape_of_stages(expert, n_shared_blocks) != wanted:
            raise HyperparameterError(
                f"expert_overrides changes expert {i} in the first "
                f"n_shared_blocks = {n_shared_blocks}, which expert 0 holds "
                "for all: leave them alike"
            )
        for stage in range(min(n_shared_blocks, most - 1)):
            expert.blocks[stage] = nn.Identity()
        if n_shared_blocks == most:
            expert.mfa = nn.Identity()


def shape_of_stages(expert, n_first):
    """What the first stages of an expert are like, weights aside.

    Arguments
    ---------
    expert : ECAPA_TDNN
        A whole expert.
    n_first : int
        How many stages, 0 to its blocks and MFA.

    Returns
    -------
    list of tuple
        Shape of the weight, and the dilation, of each convolution.
    """
    return [
        (part.weight.shape, part.dilation)
        for stage in [*expert.blocks, expert.mfa][:n_first]
        for part in stage.modules()
        if isinstance(part, nn.Conv1d)
    ]


def touch(expert):
    """Zero, with a gradient of zero at every weight of an idle expert.

    DDP waits for the gradient of every weight; with this it needs no search
    for unused ones.

    Arguments
    ---------
    expert : torch.nn.Module
        Its weights are finite.

    Returns
    -------
    torch.Tensor
        Scalar 0.
    """
    return 0.0 * sum(weight.sum() for weight in expert.parameters())
