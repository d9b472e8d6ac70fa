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
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode


class Cost(NamedTuple):
    """Size and work of an encoder.

    Arguments
    ---------
    params : int
        All weights.
    active_params : int
        Weights that one embedding depends on.
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
    was_training = model.training
    # Copies, since a loaded model's own weights may be frozen
    weights = {
        name: weight.detach().clone().requires_grad_()
        for name, weight in model.named_parameters()
    }
    device = next(iter(weights.values())).device
    feats = torch.zeros(1, n_frames, n_mels, device=device)
    counter = FlopCounterMode(display=False)
    with torch.enable_grad(), counter:
        embedding = functional_call(model.eval(), weights, (feats,))
    macs = counter.get_total_flops() // 2
    model.train(was_training)
    # A weight took part just when the output depends on it.
    gradients = torch.autograd.grad(
        embedding.sum(), weights.values(), allow_unused=True
    )
    return Cost(
        sum(w.numel() for w in weights.values()),
        sum(g.numel() for g in gradients if g is not None),
        macs,
    )


def frames_of(compute_features, duration_s=3):
    """Frames that features have.

    Arguments
    ---------
    compute_features : speechbrain.lobes.features.Fbank
        What computes them.
    duration_s : int
        Length of an utterance, in seconds.

    Returns
    -------
    int
        Frames of it, as the network counts them.

    Example
    -------
    >>> from speechbrain.lobes.features import Fbank
    >>> frames_of(Fbank(hop_length=20))
    151
    """
    stft = compute_features.compute_STFT
    return 1 + duration_s * stft.sample_rate // stft.hop_length
