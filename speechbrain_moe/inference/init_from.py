"""Experts that start from a trained dense encoder: the yaml key init_from.

 * features, normalisation and network of the source must be those of this
   training; what differs is an error that names its key
 * in the end the experts must give the source's own embeddings, from the
   waveform on, before noise is added

Shape letters: B batch, E experts, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

import torch
import torch.nn.functional as F
from speechbrain.lobes.features import Fbank
from speechbrain.processing.features import InputNormalization

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.inference.dense_source import dense_part, open_encoder
from speechbrain_moe.inference.routing import run_every_expert
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA
from speechbrain_moe.lobes.upcycle import perturb_experts, upcycle


def init_experts(modules, source, noise=0.0, seed=0):
    """Start every expert of a mixture from one trained dense encoder.

    To be called once, before a training's first step and before its modules
    are moved or wrapped; a resumed training has its own weights.

    Arguments
    ---------
    modules : dict
        ``compute_features`` and ``embedding_model`` (a MoEECAPA) of the
        training, on the CPU. The experts are changed in place.
    source : str or Path
        Value of init_from: a folder or Hub id of a SpeechBrain ECAPA-TDNN,
        or a package or output_folder of this project with one expert.
    noise : float
        Value of init_noise: see ``perturb_experts``.
    seed : int
        Seed of the noise.

    Raises
    ------
    PackageError
        If the source is not there, not whole, or holds no single ECAPA-TDNN.
    HyperparameterError
        If its features, normalisation or network are not those of this
        training; the message names the yaml key.
    """
    encoder = open_encoder(source)
    check_features(
        encoder.mods["compute_features"], modules["compute_features"], source
    )
    check_normalisation(encoder, source)
    model = modules["embedding_model"]
    upcycle(model, dense_part(encoder, source).state_dict())
    check_same_embeddings(encoder, modules, source)
    perturb_experts(model, noise, seed)


def check_features(theirs, ours, source):
    """Refuse a source that was trained on other features.

    Arguments
    ---------
    theirs : torch.nn.Module
        ``compute_features`` of the source.
    ours : Fbank
        That of this training.
    source : str or Path
        Where theirs came from.

    Raises
    ------
    HyperparameterError
        Names the first setting that differs.
    """
    if not isinstance(theirs, Fbank):
        raise HyperparameterError(
            f"init_from: compute_features of {source} is a "
            f"{type(theirs).__name__} and this training's is Fbank; choose a "
            "source with SpeechBrain's Fbank"
        )
    wanted = feature_settings(theirs)
    for key, here in feature_settings(ours).items():
        if here != wanted[key]:
            raise HyperparameterError(
                f"init_from: {source} was trained with {key} {wanted[key]} "
                f"and this training has {here}; set {key} to {wanted[key]}, "
                "or choose another source"
            )


def feature_settings(fbank):
    """What the values of log-mel features depend on.

    Arguments
    ---------
    fbank : Fbank
        SpeechBrain's module.

    Returns
    -------
    dict
        Values by the names of its arguments; win_length and hop_length in
        ms.

    Example
    -------
    >>> feature_settings(Fbank(n_mels=60))["hop_length"]
    10.0
    """
    stft, filters = fbank.compute_STFT, fbank.compute_fbanks
    return {
        "sample_rate": stft.sample_rate,
        "n_mels": filters.n_mels,
        "n_fft": stft.n_fft,
        "win_length": 1000 * stft.win_length / stft.sample_rate,
        "hop_length": 1000 * stft.hop_length / stft.sample_rate,
        "f_min": filters.f_min,
        "f_max": filters.f_max,
        "filter_shape": filters.filter_shape,
        "requires_grad": fbank.requires_grad,
        "deltas": fbank.deltas,
        "context": fbank.context,
    }


def check_normalisation(encoder, source):
    """Refuse a source whose features are normalised in another way.

    Experts see features less the sentence mean of each mel, and nothing
    else: what nearly all SpeechBrain speaker encoders are trained with.

    Arguments
    ---------
    encoder : EncoderClassifier
        Stock, or of this project, which normalises in the same way inside.
    source : str or Path
        Where it came from.

    Raises
    ------
    HyperparameterError
        Says how the source normalises.
    """
    if isinstance(encoder.mods["embedding_model"], MoEECAPA):
        return
    norm = encoder.mods["mean_var_norm"]
    said = type(norm).__name__
    if isinstance(norm, InputNormalization):
        if norm.norm_type == "sentence" and not norm.std_norm:
            return
        said += f" with norm_type {norm.norm_type}, std_norm {norm.std_norm}"
    raise HyperparameterError(
        f"init_from: mean_var_norm of {source} is {said}; supported is "
        "InputNormalization with norm_type sentence, std_norm False alone: "
        "choose another source"
    )


@torch.no_grad()
def check_same_embeddings(encoder, modules, source, numbers=None):
    """Refuse experts that have a source's weights and not its embeddings.

    Dilations, the activation and the like leave no trace in the shapes of
    weights; they show here.

    Arguments
    ---------
    encoder : EncoderClassifier
        The source, loaded.
    modules : dict
        As for ``init_experts``.
    source : str or Path
        Where the encoder came from.
    numbers : list of int, optional
        The experts that are copies of it; by default all.

    Raises
    ------
    HyperparameterError
        Gives the lowest cosine and the expert that has it.
    """
    wavs = torch.randn(2, 16000, generator=torch.Generator().manual_seed(0))
    feats = modules["compute_features"](wavs)
    model = modules["embedding_model"]
    numbers = numbers or [*range(len(model.experts.experts))]
    was_training = model.training
    raw = run_every_expert(model.eval(), feats)[:, numbers]
    model.train(was_training)
    cosines = F.cosine_similarity(raw, encoder.encode_batch(wavs), dim=2)
    lowest, place = cosines.amin(0).min(0)
    if not lowest > 0.99999:
        raise HyperparameterError(
            f"init_from: expert {numbers[int(place)]} with the weights of "
            f"{source} gives other embeddings (cosine {lowest:.5f}): set "
            "expert_dilations, expert_overrides and what else shapes leave "
            "open as they are in the source's hyperparams.yaml"
        )
