"""Weights in 16 bits: half the package, and nobody hears it.

 * rounding is the training's choice, made before it is verified
 * a package stores as float16 what that does not change; loading makes
   float32 of it, in stock SpeechBrain too

Authors
 * The speechbrain_moe developers 2026
"""

from speechbrain_moe.errors import PackageError

LARGEST = 65504.0


def rounded(state):
    """Weights of layers to 16 bits, which half a package's size.

    Arguments
    ---------
    state : dict
        Weights by name.

    Returns
    -------
    dict
        The same, tensors of two and more dimensions rounded to what float16
        holds; biases and statistics as they were.

    Raises
    ------
    PackageError
        If a weight is beyond what 16 bits hold.

    Example
    -------
    >>> import torch
    >>> rounded({"w": torch.tensor([[1 / 3]])})["w"].item()
    0.333251953125
    """
    for name, weight in state.items():
        if weight.dim() > 1 and weight.abs().max() > LARGEST:
            raise PackageError(
                f"half_weights is True, and {name} holds numbers beyond "
                f"{LARGEST:g}, the largest of 16 bits: give half_weights False"
            )
    return {
        name: weight.half().to(weight.dtype) if weight.dim() > 1 else weight
        for name, weight in state.items()
    }


def smallest(state):
    """Weights as 16 bits, where that loses nothing.

    Arguments
    ---------
    state : dict
        Weights by name.

    Returns
    -------
    dict
        The same values; loading makes float32 of them again.

    Example
    -------
    >>> import torch
    >>> state = {"half": torch.ones(2, 2), "whole": torch.tensor([1 / 3])}
    >>> [weight.dtype for weight in smallest(state).values()]
    [torch.float16, torch.float32]
    """
    return {
        name: weight.half()
        if weight.dim() > 1 and weight.half().float().equal(weight)
        else weight
        for name, weight in state.items()
    }
