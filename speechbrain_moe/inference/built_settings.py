"""Settings as a model was built, where its plain values say otherwise.

 * a yaml names hop_length or selection once, above, and its objects refer to
   it; an object that was edited or overridden holds another value than that
 * settings of the features that no key names count where they are not the
   usual ones; a value without an effect counts nowhere

Authors
 * The speechbrain_moe developers 2026
"""

from torch import nn

from speechbrain_moe.lobes.features import MarkedFbank
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA

MODEL_KEYS = ("selection", "gate_input", "always_on_weight")
PLAIN = (bool, int, float, str)


def built_otherwise(mods, settings):
    """What the modules of an encoder hold that its settings do not say.

    Arguments
    ---------
    mods : torch.nn.ModuleDict or dict
        ``compute_features`` and ``embedding_model``.
    settings : dict
        Plain values by key; of a key that is not there nothing is said.

    Returns
    -------
    dict
        Plain values by key; none of modules that are not of this project.

    Example
    -------
    >>> mods = {"compute_features": MarkedFbank(hop_length=20, win_length=32)}
    >>> built_otherwise(mods, {"hop_length": 10, "n_mels": 40})
    {'hop_length': 20.0, 'win_length': 512}
    """
    found = {}
    if isinstance(mods["compute_features"], MarkedFbank):
        found |= features_otherwise(mods["compute_features"], settings)
    model = mods["embedding_model"] if "embedding_model" in mods else None
    if isinstance(model, MoEECAPA):
        found |= model_otherwise(model, settings)
    return found


def features_otherwise(features, settings):
    """The same of the features."""
    stft, mels = features.compute_STFT, features.compute_fbanks
    named = {
        "sample_rate": stft.sample_rate,
        "n_mels": mels.n_mels,
        "hop_length": 1000 * stft.hop_length / stft.sample_rate,
    }
    usual = MarkedFbank(**named)
    said = settings.get("hop_length", named["hop_length"])
    if round(said * stft.sample_rate / 1000) == stft.hop_length:
        del named["hop_length"]
    return {
        **unlike(named, settings),
        **others(stft, usual.compute_STFT),
        **others(mels, usual.compute_fbanks),
    }


def model_otherwise(model, settings):
    """The same of a mixture."""
    built = {key: getattr(model, key) for key in MODEL_KEYS}
    if model.selection == "top_k":
        built["top_k"] = model.top_k
    return unlike(built, settings) | dilations_otherwise(model, settings)


def dilations_otherwise(model, settings):
    """Dilations of experts that have others, by a name for each."""
    experts = model.experts.experts
    overrides = settings.get("expert_overrides") or [{}] * len(experts)
    found = {}
    for i, (expert, override) in enumerate(zip(experts, overrides)):
        said = override.get("dilations", settings.get("expert_dilations"))
        if said is not None and not are_dilations(expert, said):
            found[f"dilations of expert {i}"] = dilations_of(expert)
    return found


def dilations_of(expert):
    """Dilation of each block of an expert; 0 of one that another holds."""
    return [
        max(
            (
                part.dilation[0]
                for part in block.modules()
                if isinstance(part, nn.Conv1d)
            ),
            default=0,
        )
        for block in [*expert.blocks, expert.mfa]
    ]


def are_dilations(expert, said):
    """Whether an expert's own blocks have the dilations of a yaml key."""
    pairs = zip(dilations_of(expert), said)
    return all(built in (0, wanted) for built, wanted in pairs)


def unlike(built, settings):
    """Values of keys that settings know and say otherwise."""
    return {
        key: value
        for key, value in built.items()
        if key in settings and settings[key] != value
    }


def others(module, usual):
    """Plain attributes of a module that differ from those of another."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, PLAIN)
        and name != "training"
        and value != getattr(usual, name, None)
    }
