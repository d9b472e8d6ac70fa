"""One expert: SpeechBrain's ECAPA_TDNN, its settings checked first.

Authors
 * The speechbrain_moe developers 2026
"""

import inspect

from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN

from speechbrain_moe.errors import HyperparameterError

FIXED = ("input_size", "lin_neurons", "device", "activation", "self")
EXPERT_KEYS = sorted(
    set(inspect.signature(ECAPA_TDNN.__init__).parameters) - set(FIXED)
)


def build_expert(input_size, emb_dim, settings):
    """One ECAPA_TDNN, with its settings checked first.

    Arguments
    ---------
    input_size : int
        Mel bands of the features.
    emb_dim : int
        Size of the embedding.
    settings : dict
        Other arguments of ``ECAPA_TDNN``.

    Returns
    -------
    ECAPA_TDNN
        A randomly initialised expert.

    Raises
    ------
    HyperparameterError
        If a key is unknown, the layer lists differ in length, a kernel is
        even, or the widths between the first and the last are not such as
        ECAPA_TDNN can take.

    Example
    -------
    >>> build_expert(80, 192, {"channels": [9] * 5})
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.HyperparameterError: expert channels [9, 9, 9, 9, 9]:
    those between the first and the last must be alike and divisible by
    res2net_scale 8
    """
    unknown = sorted(set(settings) - set(EXPERT_KEYS))
    if unknown:
        raise HyperparameterError(
            f"experts take no {', '.join(unknown)}: choose from "
            f"{', '.join(EXPERT_KEYS)}"
        )
    layers = ("channels", "kernel_sizes", "dilations", "groups")
    sizes = dict.fromkeys(layers[:3], 5)
    sizes |= {key: len(settings[key]) for key in layers if key in settings}
    if len(set(sizes.values())) > 1:
        raise HyperparameterError(
            f"expert layer lists differ in length: {sizes} "
            "(a list that is not given has 5 entries)"
        )
    kernels = list(settings.get("kernel_sizes", []))
    if any(size % 2 == 0 for size in kernels):
        raise HyperparameterError(
            f"expert kernel_sizes {kernels}: choose odd numbers, which keep "
            "the number of frames"
        )
    scale = settings.get("res2net_scale", 8)
    channels = list(settings.get("channels", [512] * 4))
    inner = set(channels[1:-1])
    if len(inner) > 1 or any(width % scale for width in inner):
        raise HyperparameterError(
            f"expert channels {channels}: those between the first and the "
            f"last must be alike and divisible by res2net_scale {scale}"
        )
    return ECAPA_TDNN(input_size, lin_neurons=emb_dim, **settings)
