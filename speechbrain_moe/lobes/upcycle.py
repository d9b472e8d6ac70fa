"""Upcycling: experts that start as copies of one trained dense ECAPA-TDNN.

 * the copy is strict and all or nothing: a weight that does not fit is an
   error that names it and the yaml key, and then nothing has changed
 * without noise every expert is the dense model, so the mixture has the
   dense embedding's direction whatever the gate says
 * noise goes to every expert that a gate may choose, each its own draw: one
   that stayed exact would be the best at the first step, and win the gate
 * without noise equal experts part in training as far as the gate's weights
   differ between utterances: fast with top_k, slowly with soft, under
   uniform weights never

Shape letters: B batch, E experts, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

import math

import torch
from torch import nn

from speechbrain_moe.errors import HyperparameterError

# Part of a weight's name, and the yaml keys that decide its shape
YAML_KEYS = (
    ("res2net_block", "expert_res2net_scale or expert_kernel_sizes"),
    ("se_block", "expert_se_channels"),
    ("asp.", "expert_attention_channels"),
    ("fc.", "emb_dim"),
    ("blocks.0.", "n_mels, expert_channels or expert_kernel_sizes"),
    ("", "expert_channels or expert_kernel_sizes"),
)


def upcycle(model, dense_state):
    """Make every expert a copy of one dense ECAPA-TDNN, in place.

    "Sparse Upcycling" of Komatsuzaki et al., 2023
    (https://arxiv.org/abs/2212.05055), for whole encoders; there only the
    feed-forward layers are copied.

    Arguments
    ---------
    model : MoEECAPA
        Its experts are filled, the always-on one too. Shared stages are
        filled once; the gate stays as it is.
    dense_state : dict
        State of a SpeechBrain ``ECAPA_TDNN``: weights by name.

    Raises
    ------
    HyperparameterError
        If a weight is missing, unexpected or of another shape. The message
        names it, and the yaml key to change; no expert is changed then.

    Example
    -------
    >>> from speechbrain_moe.lobes.expert_settings import build_expert
    >>> from speechbrain_moe.lobes.experts import ExpertBank
    >>> from speechbrain_moe.lobes.moe_ecapa import MoEECAPA
    >>> small = {"channels": [8, 8, 8, 8, 24], "res2net_scale": 2}
    >>> bank = ExpertBank(n_experts=3, emb_dim=16, expert=small)
    >>> model = MoEECAPA(None, bank, selection="uniform").eval()
    >>> dense = build_expert(80, 16, small).eval()
    >>> upcycle(model, dense.state_dict())
    >>> feats = torch.randn(2, 40, 80)
    >>> wanted = dense(feats - feats.mean(1, keepdim=True))
    >>> cosine = torch.nn.functional.cosine_similarity(
    ...     model(feats), wanted, dim=2
    ... )
    >>> bool((cosine > 0.99999).all())
    True
    """
    experts = model.experts.experts
    states = [own_part(expert, dense_state) for expert in experts]
    for i, (expert, state) in enumerate(zip(experts, states)):
        check_fits(expert.state_dict(), state, i)
    for expert, state in zip(experts, states):
        expert.load_state_dict(state)


def own_part(expert, dense_state):
    """The weights that an expert keeps itself, of those of a dense model.

    Arguments
    ---------
    expert : ECAPA_TDNN
        One of a bank; stages that expert 0 keeps for it are ``Identity``.
    dense_state : dict
        Weights by name.

    Returns
    -------
    dict
        dense_state without the shared stages that stand elsewhere.
    """
    shared = stages_elsewhere(expert)
    return {k: v for k, v in dense_state.items() if not k.startswith(shared)}


def stages_elsewhere(expert):
    """Beginnings of the names of weights that expert 0 keeps for this one.

    Arguments
    ---------
    expert : torch.nn.Module
        One of a bank; shared stages are ``Identity`` in all but expert 0.

    Returns
    -------
    tuple of str
        Such as ``blocks.0.``; empty where nothing is shared.

    Example
    -------
    >>> stages_elsewhere(nn.Sequential(nn.Identity(), nn.Linear(1, 1)))
    ('0.',)
    """
    return tuple(
        f"{name}."
        for name, module in expert.named_modules()
        if isinstance(module, nn.Identity)
    )


def check_fits(wanted, state, expert_id):
    """Refuse weights that are not those of an expert.

    Arguments
    ---------
    wanted : dict
        The expert's own state.
    state : dict
        What is to be put there.
    expert_id : int
        Which expert it is, for the message.

    Raises
    ------
    HyperparameterError
        Names the first weight that differs, and the yaml key to change.

    Example
    -------
    >>> check_fits({"fc.conv.bias": torch.ones(8)}, {}, 2)
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.HyperparameterError: init_from does not fit expert
    2: fc.conv.bias is not there in the source, [8] here; change emb_dim...
    """
    for key in [*wanted, *state]:
        here, there = shape_of(wanted, key), shape_of(state, key)
        if here != there:
            cause = next(keys for part, keys in YAML_KEYS if part in key)
            raise HyperparameterError(
                f"init_from does not fit expert {expert_id}: {key} is {there} "
                f"in the source, {here} here; change {cause} (or "
                "expert_overrides, if only some experts differ)"
            )


def shape_of(state, key):
    """Shape of a weight, in words where there is none.

    Arguments
    ---------
    state : dict
        Weights by name.
    key : str
        Name of the weight.

    Returns
    -------
    str
        Such as [8, 80, 5].

    Example
    -------
    >>> shape_of({"bias": torch.ones(8)}, "bias"), shape_of({}, "bias")
    ('[8]', 'not there')
    """
    return str(list(state[key].shape)) if key in state else "not there"


def perturb_experts(model, noise, seed=0):
    """Add noise to the experts that a gate may choose, each its own.

    Only weights of convolutions change. Biases, batch normalisation, shared
    stages and the always-on expert stay: they need no symmetry broken.

    Arguments
    ---------
    model : MoEECAPA
        Changed in place.
    noise : float
        Standard deviation of the Gaussian noise, as a share of that of each
        weight tensor; 0 changes nothing.
    seed : int
        Seed of the noise, which no other random number depends on.

    Raises
    ------
    HyperparameterError
        If noise is negative or not finite.

    Example
    -------
    >>> perturb_experts(None, -0.1)
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.HyperparameterError: init_noise is -0.1: choose 0
    or more, as a share of each weight's own standard deviation
    """
    if not 0 <= noise < math.inf:
        raise HyperparameterError(
            f"init_noise is {noise}: choose 0 or more, as a share of each "
            "weight's own standard deviation"
        )
    bank = model.experts
    shared = stages_elsewhere(bank.experts[-1])
    draws = torch.Generator().manual_seed(seed)
    for expert in bank.experts[: bank.n_experts]:
        for name, weight in expert.named_parameters():
            if weight.dim() > 1 and not name.startswith(shared):
                add_noise(weight, noise, draws)


@torch.no_grad()
def add_noise(weight, noise, draws):
    """Add Gaussian noise to a weight, in place.

    Arguments
    ---------
    weight : torch.nn.Parameter
        Of any shape.
    noise : float
        Standard deviation, as a share of the weight's own.
    draws : torch.Generator
        Where the noise comes from, on the CPU.
    """
    drawn = torch.randn(weight.shape, generator=draws).to(weight)
    weight.add_(noise * weight.std(correction=0) * drawn)
