"""Settings as a model was built, where its plain values may say otherwise.

 * a yaml names hop_length or selection once, above, and its objects refer to
   it; an object that was edited or overridden holds another value than that
 * values of the features that no key names count where they are not the
   usual ones

Authors
 * The speechbrain_moe developers 2026
"""

from speechbrain_moe.lobes.features import MarkedFbank
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA

MODEL_KEYS = ("selection", "top_k", "gate_input", "always_on_weight")
PLAIN = (bool, int, float, str)


def built_settings(mods):
    """What the modules of an encoder hold.

    Arguments
    ---------
    mods : torch.nn.ModuleDict or dict
        ``compute_features`` and ``embedding_model``.

    Returns
    -------
    dict
        Plain values by key; none of modules that are not of this project.

    Example
    -------
    >>> built_settings({"compute_features": MarkedFbank(n_mels=40)})
    {'sample_rate': 16000, 'n_mels': 40, 'hop_length': 10.0}
    >>> built_settings({"compute_features": MarkedFbank(win_length=32)})
    {'sample_rate': 16000, 'n_mels': 40, 'hop_length': 10.0, 'win_length': 512}
    """
    found = {}
    if "compute_features" in mods:
        found |= features_settings(mods["compute_features"])
    model = mods["embedding_model"] if "embedding_model" in mods else None
    if isinstance(model, MoEECAPA):
        found |= {key: getattr(model, key) for key in MODEL_KEYS}
    return found


def features_settings(features):
    """Settings of features: those with a key, and the unusual ones."""
    if not isinstance(features, MarkedFbank):
        return {}
    stft, mels = features.compute_STFT, features.compute_fbanks
    named = {
        "sample_rate": stft.sample_rate,
        "n_mels": mels.n_mels,
        "hop_length": 1000 * stft.hop_length / stft.sample_rate,
    }
    usual = MarkedFbank(**named)
    return (
        named
        | others(stft, usual.compute_STFT)
        | others(mels, usual.compute_fbanks)
    )


def others(module, usual):
    """Plain attributes of a module that differ from those of another."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, PLAIN)
        and name != "training"
        and value != getattr(usual, name, None)
    }
