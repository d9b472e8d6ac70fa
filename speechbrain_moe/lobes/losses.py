"""Losses: angular margin over speakers, balance and z-loss over experts.

 * AAM-softmax and ArcFace are two names of one formula; either may be given
 * past theta + m = pi the target falls on continuously, so that a wrong
   speaker is never rewarded for being worse
 * the nearest other speakers may be given a margin too, mirrored
 * the margin can be set while training and is kept in the checkpoint
 * gate losses are plain functions of the gate's output

Shape letters: B batch, E experts, N speakers.

Authors
 * The speechbrain_moe developers 2026
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from speechbrain_moe.errors import HyperparameterError

LOSSES = ("aam_softmax", "arcface")


class AngularMarginLoss(nn.Module):
    """Cross-entropy over scaled cosines with an angular margin on the target.

    ``s * cos(theta_y + m)`` for the own speaker and ``s * cos(theta_j)`` for
    the others: Deng et al., "ArcFace", 2019, equation 3
    (https://arxiv.org/abs/1801.07698), called AAM-softmax in speech. Where
    theta_y + m > pi the cosine would rise again; there the target is
    ``cos(theta_y) - (1 - cos(m))``, which continues the curve without a jump
    and keeps falling.

    The hard speakers are the inter-topk penalty of Zhao et al., "The SpeakIn
    system for VoxCeleb Speaker Recognition Challenge 2021", 2021
    (https://arxiv.org/abs/2109.01989), with 5 of them and m' = 0.06 there.
    Ours differs below theta_j = m', where their cosine would fall again: it
    goes on as ``cos(theta_j) + (1 - cos(m'))``. m' is constant: ``set_margin``
    leaves it alone.

    Arguments
    ---------
    name : str
        ``aam_softmax`` or ``arcface``; both are this formula.
    margin : float
        Margin m in radians, in [0, pi/2].
    scale : float
        Scale s of the cosines, above 0.
    n_hard_speakers : int
        Nearest other speakers of each utterance that count as
        ``cos(theta_j - hard_margin)``; 0 for none. All others, if there are
        fewer.
    hard_margin : float
        Their margin m' in radians, in [0, pi/2].

    Raises
    ------
    HyperparameterError
        If a value is out of range; the message names the yaml key.

    Example
    -------
    >>> compute_loss = AngularMarginLoss("arcface", margin=0.2, scale=30.0)
    >>> cosines = torch.tensor([[[0.9, 0.1]], [[0.2, 0.3]]])
    >>> compute_loss(cosines, torch.tensor([[0], [1]])).item() > 0
    True
    """

    def __init__(
        self,
        name="aam_softmax",
        margin=0.2,
        scale=30.0,
        n_hard_speakers=0,
        hard_margin=0.06,
    ):
        super().__init__()
        if name not in LOSSES:
            raise HyperparameterError(
                f"loss is {name!r}: choose one of {', '.join(LOSSES)}"
            )
        if not scale > 0:
            raise HyperparameterError(
                f"scale is {scale!r}: choose a number above 0, such as 30"
            )
        if not isinstance(n_hard_speakers, int) or n_hard_speakers < 0:
            raise HyperparameterError(
                f"n_hard_speakers is {n_hard_speakers!r}: choose a whole "
                "number of 0 or more, such as 5"
            )
        check_angle("hard_margin", hard_margin)
        self.scale = scale
        self.n_hard_speakers = n_hard_speakers
        self.register_buffer("margin", torch.tensor(0.0))
        # It comes from the yaml, and older checkpoints have none.
        self.register_buffer(
            "hard_margin", torch.tensor(float(hard_margin)), persistent=False
        )
        self.set_margin(margin)

    def set_margin(self, margin):
        """Change the margin, for a schedule or another training stage.

        Arguments
        ---------
        margin : float
            Margin in radians, in [0, pi/2].

        Raises
        ------
        HyperparameterError
            If it is outside.
        """
        check_angle("margin", margin)
        self.margin.fill_(margin)

    def forward(self, cosines, labels):
        """Mean loss of the batch.

        Arguments
        ---------
        cosines : torch.Tensor
            Cosine to each speaker's centre [B, 1, N] or [B, N].
        labels : torch.Tensor
            Index of the own speaker [B] or [B, 1], int64.

        Returns
        -------
        torch.Tensor
            Scalar, natural log units, float32.
        """
        cosines = cosines.float().flatten(0, -2)
        labels = labels.flatten().unsqueeze(1)
        target = turn_away(cosines.gather(1, labels), self.margin)
        logits = cosines.scatter(1, labels, target)
        if self.n_hard_speakers:
            hard = hardest(cosines.detach(), labels, self.n_hard_speakers)
            # theta - m' is theta + m' seen from the other side.
            nearer = -turn_away(-cosines.gather(1, hard), self.hard_margin)
            logits = logits.scatter(1, hard, nearer)
        return F.cross_entropy(self.scale * logits, labels.squeeze(1))


def check_angle(key, value):
    """Refuse a margin that is no angle from 0 to pi/2, by its yaml key."""
    if not 0 <= value <= math.pi / 2:
        raise HyperparameterError(
            f"{key} is {value!r}: choose an angle from 0 to pi/2 radians"
        )


def turn_away(cosines, margin):
    """Cosine of the angle and a margin, falling all the way to pi.

    Arguments
    ---------
    cosines : torch.Tensor
        Cosines of the angles, of any shape.
    margin : torch.Tensor
        Angle to add, scalar, radians.

    Returns
    -------
    torch.Tensor
        ``cos(theta + margin)``, of the same shape; past pi it goes on as
        ``cos(theta) - (1 - cos(margin))``.

    Example
    -------
    >>> turn_away(torch.tensor([0.5]), torch.tensor(math.pi / 3)).item()
    -0.5
    """
    cos_m, sin_m = margin.cos(), margin.sin()
    # The derivative of the root is infinite at 0.
    sines = (1 - cosines.square()).clamp(min=2e-6).sqrt()
    turned = cosines * cos_m - sines * sin_m
    return torch.where(cosines < -cos_m, cosines - (1 - cos_m), turned)


def hardest(cosines, labels, n_hard_speakers):
    """Which other speakers are nearest to each utterance.

    Arguments
    ---------
    cosines : torch.Tensor
        Cosine to each speaker's centre [B, N].
    labels : torch.Tensor
        Index of the own speaker [B, 1], int64.
    n_hard_speakers : int
        How many are wanted.

    Returns
    -------
    torch.Tensor
        Their indices, nearest first, int64; N - 1 of them if more are
        wanted. The own speaker is never among them.

    Example
    -------
    >>> cosines = torch.tensor([[0.9, 0.1, 0.3, 0.2]])
    >>> hardest(cosines, torch.tensor([[0]]), 2).tolist()
    [[2, 3]]
    """
    n_others = cosines.shape[1] - 1
    others = cosines.scatter(1, labels, -torch.inf)
    return others.topk(min(n_hard_speakers, n_others), dim=1).indices


def expert_load(expert_ids, n_experts, expert_weights=None):
    """Share of all selections that went to each expert.

    Arguments
    ---------
    expert_ids : torch.Tensor
        Chosen experts [B, K], int64.
    n_experts : int
        Experts there are, E.
    expert_weights : torch.Tensor, optional
        Their weights [B, K]. With them a selection counts by its weight, so
        that a soft gate, which selects every expert, has a load that tells.

    Returns
    -------
    torch.Tensor
        Load [E], sums to 1 for any K.

    Example
    -------
    >>> expert_load(torch.tensor([[0, 1], [0, 2]]), 4).tolist()
    [0.5, 0.25, 0.25, 0.0]
    """
    if expert_weights is None:
        expert_weights = torch.ones_like(expert_ids, dtype=torch.float32)
    weights = expert_weights.detach().flatten()
    load = torch.zeros(n_experts, device=weights.device)
    load.index_add_(0, expert_ids.flatten(), weights)
    return load / weights.sum()


def balance_loss(gate_probs, load):
    """Loss that is smallest, 1, when experts are used evenly.

    ``E * sum_i f_i * P_i``, with the load f and the mean probability P:
    Fedus et al., "Switch Transformers", 2021, equation 4
    (https://arxiv.org/abs/2101.03961). The gradient goes through P alone.

    Arguments
    ---------
    gate_probs : torch.Tensor
        Softmax of the gate's logits [B, E].
    load : torch.Tensor
        Share of the selections that went to each expert [E], sums to 1.

    Returns
    -------
    torch.Tensor
        Scalar; 1 when even, E when one expert takes everything.

    Example
    -------
    >>> probs = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    >>> balance_loss(probs, torch.tensor([1.0, 0.0])).item()
    2.0
    """
    return len(load) * (load.detach() * gate_probs.mean(0)).sum()


def z_loss(gate_logits):
    """Loss that keeps the gate's logits small.

    ``mean(logsumexp(logits)^2)``: Zoph et al., "ST-MoE", 2022, equation 5
    (https://arxiv.org/abs/2202.08906).

    Arguments
    ---------
    gate_logits : torch.Tensor
        Logits of the gate [B, E].

    Returns
    -------
    torch.Tensor
        Scalar, at least 0.

    Example
    -------
    >>> round(z_loss(torch.zeros(3, 4)).item(), 3)
    1.922
    """
    return gate_logits.logsumexp(dim=1).square().mean()
