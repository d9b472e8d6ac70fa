"""How experts are chosen and weighted, from what the gate says.

 * three selections: soft, top_k, uniform (the control)
 * while training, weights are the chosen ones forward and the soft ones
   backward, so that the task loss reaches the gate even for top_k = 1
 * noise and expert dropout change what is chosen in training, never later

Shape letters: B batch, E experts, K chosen.

Authors
 * The speechbrain_moe developers 2026
"""

from typing import NamedTuple

import torch

from speechbrain_moe.errors import HyperparameterError

SELECTIONS = ("soft", "top_k", "uniform")


class Selection(NamedTuple):
    """Which experts run for each utterance, and with which weights.

    Arguments
    ---------
    expert_ids : torch.Tensor
        Chosen experts [B, K], int64, best first for ``top_k``.
    expert_weights : torch.Tensor
        Weights of the sum [B, K], in [0, 1], rows sum to 1.
    """

    expert_ids: torch.Tensor
    expert_weights: torch.Tensor


def check_selection(selection, top_k, n_experts):
    """Refuse a selection that does not exist or does not fit the experts.

    Arguments
    ---------
    selection : str
        One of ``soft``, ``top_k``, ``uniform``.
    top_k : int
        Experts per utterance; looked at for ``top_k`` alone.
    n_experts : int
        Experts there are.

    Raises
    ------
    HyperparameterError
        The message names the key and what it may be.
    """
    if selection not in SELECTIONS:
        raise HyperparameterError(
            f"selection is {selection!r}: choose one of {', '.join(SELECTIONS)}"
        )
    fits = type(top_k) is int and 1 <= top_k <= n_experts
    if selection == "top_k" and not fits:
        raise HyperparameterError(
            f"top_k is {top_k!r} and n_experts is {n_experts!r}: "
            f"choose top_k from 1 to {n_experts}"
        )


def check_choice(key, value, choices):
    """Refuse a value that is not one of a few.

    Arguments
    ---------
    key : str
        Yaml key.
    value : object
        Its value.
    choices : tuple of str
        What it may be.

    Raises
    ------
    HyperparameterError
        The message names the key and the choices.
    """
    if value not in choices:
        raise HyperparameterError(
            f"{key} is {value!r}: choose {' or '.join(choices)}"
        )


def check_share(key, value):
    """Refuse a number outside [0, 1).

    Arguments
    ---------
    key : str
        Yaml key.
    value : float
        Its value.

    Raises
    ------
    HyperparameterError
        The message names the key.
    """
    if not 0 <= value < 1:
        raise HyperparameterError(
            f"{key} is {value!r}: choose a number from 0 to below 1"
        )


def select_experts(gate_probs, selection, top_k=1, bias=None):
    """Choose the experts of each utterance and the weights of their sum.

    ``soft`` takes all experts with their probabilities, ``top_k`` the k most
    probable ones with their probabilities scaled to sum to one. ``uniform``
    asks no gate: the probabilities it comes with are even, and it takes all
    experts with them, as ``soft`` does.

    Arguments
    ---------
    gate_probs : torch.Tensor
        Softmax of the gate's logits over all experts [B, E].
    selection : str
        One of ``soft``, ``top_k``, ``uniform``.
    top_k : int
        Experts per utterance for ``top_k``, in 1..E.
    bias : torch.Tensor, optional
        Added to the probabilities [E] for the choice of ``top_k`` alone,
        never to the weights: the loss-free balance of Wang et al., 2024
        (https://arxiv.org/abs/2408.15664).

    Returns
    -------
    Selection
        expert_ids [B, K] and expert_weights [B, K]; K is top_k, or E.

    Raises
    ------
    HyperparameterError
        If the selection is unknown or top_k is outside 1..E.

    Example
    -------
    >>> probs = torch.tensor([[0.1, 0.6, 0.3]])
    >>> select_experts(probs, "top_k", top_k=2).expert_ids.tolist()
    [[1, 2]]
    >>> bias = torch.tensor([0.9, 0.0, 0.0])
    >>> select_experts(probs, "top_k", top_k=1, bias=bias)
    Selection(expert_ids=tensor([[0]]), expert_weights=tensor([[1.]]))
    """
    n_experts = gate_probs.shape[1]
    check_selection(selection, top_k, n_experts)
    if selection == "top_k":
        said = gate_probs.detach()
        if bias is not None:
            # An expert that was dropped has probability 0, so no weight
            said = (said + bias).masked_fill(gate_probs == 0, -torch.inf)
        expert_ids = said.topk(top_k, dim=1).indices
        kept = gate_probs.gather(1, expert_ids)
        return Selection(expert_ids, kept / kept.sum(1, keepdim=True))
    expert_ids = torch.arange(n_experts, device=gate_probs.device)
    return Selection(expert_ids.expand_as(gate_probs), gate_probs)


def drop_experts(gate_logits, prob, n_kept):
    """Take experts out of the choice at random, utterance by utterance.

    With it no expert can rely on being chosen, and others learn to stand in.

    Arguments
    ---------
    gate_logits : torch.Tensor
        Logits [B, E].
    prob : float
        Share of the experts that is taken out, in [0, 1).
    n_kept : int
        Experts that stay at least, in 1..E.

    Returns
    -------
    torch.Tensor
        Logits [B, E], -inf for those taken out.

    Example
    -------
    >>> drop_experts(torch.zeros(1, 4), prob=0.99, n_kept=1).isinf().sum()
    tensor(3)
    """
    draws = torch.rand_like(gate_logits)
    stay = draws.topk(n_kept, dim=1).indices
    dropped = (draws < prob).scatter(1, stay, False)
    return gate_logits.masked_fill(dropped, -torch.inf)


def add_rival(gate_probs, chosen):
    """For top-1: a second expert to compare with, drawn by probability.

    It has weight 0 and learns nothing; the gate learns from the comparison
    which of the two would have done better.

    Arguments
    ---------
    gate_probs : torch.Tensor
        Softmax of the gate's logits [B, E], E at least 2.
    chosen : Selection
        One expert an utterance.

    Returns
    -------
    Selection
        Two experts an utterance, with weights 1 and 0.

    Example
    -------
    >>> probs = torch.tensor([[0.7, 0.3]])
    >>> add_rival(probs, select_experts(probs, "top_k")).expert_weights
    tensor([[1., 0.]])
    """
    # A gate that is wholly sure leaves 0 for all others
    others = (gate_probs.detach() + 1e-30).scatter(1, chosen.expert_ids, 0.0)
    rival = torch.multinomial(others, 1)
    weights = torch.cat([chosen.expert_weights, 0.0 * rival], dim=1)
    return Selection(torch.cat([chosen.expert_ids, rival], dim=1), weights)


def straight_through_weights(gate_probs, chosen):
    """Weights over all experts: the chosen ones forward, soft ones backward.

    With top_k = 1 the weight is 1 whatever the gate says, and the final
    normalisation of the embedding removes any scalar, so that the task loss
    could not reach the gate. The straight-through estimator of Bengio et
    al., 2013 (https://arxiv.org/abs/1308.3432), lends the soft gradient.

    Arguments
    ---------
    gate_probs : torch.Tensor
        Softmax of the gate's logits [B, E].
    chosen : Selection
        What ``select_experts`` returned for them.

    Returns
    -------
    torch.Tensor
        Weights [B, E]: zero for experts that were not chosen; the gradient
        is that of gate_probs.

    Example
    -------
    >>> probs = torch.tensor([[0.2, 0.8]], requires_grad=True)
    >>> weights = straight_through_weights(
    ...     probs, select_experts(probs, "top_k")
    ... )
    >>> weights.tolist()
    [[0.0, 1.0]]
    """
    hard = torch.zeros_like(gate_probs).scatter(
        1, chosen.expert_ids, chosen.expert_weights.detach()
    )
    return hard + (gate_probs - gate_probs.detach())
