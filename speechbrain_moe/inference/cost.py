"""What a model costs: parameters it holds, and those it uses at a time.

 * counted on a real forward pass of one utterance in evaluation mode, so
   experts that were not chosen do not count as active
 * multiply-accumulates of convolutions and matrix products, by PyTorch's
   own counter

Authors
 * The speechbrain_moe developers 2026
"""

from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode


class Cost(NamedTuple):
    """Size and work of an encoder.

    Arguments
    ---------
    params : int
        All weights.
    active_params : int
        Weights of the layers that ran for one utterance.
    active_macs : int
        Multiply-accumulates for one utterance.
    """

    params: int
    active_params: int
    active_macs: int


def count_cost(model, n_frames=301, n_mels=80):
    """Count parameters and multiply-accumulates for one utterance.

    Arguments
    ---------
    model : torch.nn.Module
        Maps features [1, T, M] to an embedding; the classifier is no part.
    n_frames : int
        Frames T; 301 are 3 s.
    n_mels : int
        Mel bands M.

    Returns
    -------
    Cost
        Parameters, active parameters, active multiply-accumulates.

    Example
    -------
    >>> count_cost(torch.nn.Linear(80, 10, bias=False), n_frames=2)
    Cost(params=800, active_params=800, active_macs=1600)
    """
    ran = set()

    def note(module, args, output):
        ran.update(module.parameters(recurse=False))

    hooks = [m.register_forward_hook(note) for m in model.modules()]
    was_training = model.training
    device = next(model.parameters()).device
    feats = torch.zeros(1, n_frames, n_mels, device=device)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model.eval()(feats)
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    return Cost(
        sum(p.numel() for p in model.parameters()),
        sum(p.numel() for p in ran),
        counter.get_total_flops() // 2,
    )
