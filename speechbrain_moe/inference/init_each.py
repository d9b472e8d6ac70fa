"""Experts that were trained apart, one dense encoder each, made a mixture.

 * networks that began apart err apart: their weighted sum knows more than
   either, which copies of one network hardly do
 * each was trained to a space of its own; a rotation brings it to that of
   the first expert and changes none of its cosines

Shape letters: E experts, N recordings, D emb_dim, S samples.

Authors
 * The speechbrain_moe developers 2026
"""

import torch
import torch.nn.functional as F

from speechbrain_moe.errors import HyperparameterError
from speechbrain_moe.inference.dense_source import dense_part, open_encoder
from speechbrain_moe.inference.init_from import (
    check_features,
    check_normalisation,
    check_same_embeddings,
)
from speechbrain_moe.inference.routing import run_every_expert
from speechbrain_moe.lobes.upcycle import check_fits


def init_each(modules, sources, wavs):
    """Start each expert of a mixture from a trained dense encoder of its own.

    To be called once, before a training's first step and before its modules
    are moved or wrapped; a resumed training has its own weights.

    Arguments
    ---------
    modules : dict
        ``compute_features`` and ``embedding_model`` (a MoEECAPA) of the
        training, on the CPU. The experts are changed in place.
    sources : list of str
        Value of init_from, see ``init_experts``: one for each expert.
    wavs : iterable of torch.Tensor
        Recordings [S] that the experts are brought into one space by: some
        hundred, of many speakers.

    Raises
    ------
    PackageError
        If a source is not there, not whole, or holds no single ECAPA-TDNN.
    HyperparameterError
        If there are more or fewer sources than experts, experts share
        stages, there are fewer recordings than an embedding has numbers, or
        a source's features, normalisation or network are not
        those of this training; the message names the yaml key.
    """
    bank = modules["embedding_model"].experts
    check_places(bank, sources)
    encoders = [open_encoder(source) for source in sources]
    states = []
    for number, (encoder, source) in enumerate(zip(encoders, sources)):
        theirs = encoder.mods["compute_features"]
        check_features(theirs, modules["compute_features"], source)
        check_normalisation(encoder, source)
        states.append(dense_part(encoder, source).state_dict())
        check_fits(bank.experts[number].state_dict(), states[-1], number)
    for expert, state in zip(bank.experts, states):
        expert.load_state_dict(state)
    for number, (encoder, source) in enumerate(zip(encoders, sources)):
        check_same_embeddings(encoder, modules, source, [number])
    align_experts(modules, wavs)


def check_places(bank, sources):
    """Refuse sources that are not one for each expert.

    Arguments
    ---------
    bank : ExpertBank
        The experts.
    sources : list of str
        Value of init_from.

    Raises
    ------
    HyperparameterError
        The message names the yaml key to change.
    """
    if len(sources) != len(bank.experts):
        raise HyperparameterError(
            f"init_from names {len(sources)} sources, and there are "
            f"{len(bank.experts)} experts (with one always on, if there is "
            "one): give one for each, or a single one for all"
        )
    if bank.n_shared_blocks:
        raise HyperparameterError(
            f"n_shared_blocks is {bank.n_shared_blocks}, and init_from names "
            f"{len(sources)} sources: experts that were trained apart share "
            "nothing, so give n_shared_blocks 0"
        )


@torch.no_grad()
def align_experts(modules, wavs):
    """Rotate the embeddings of all experts into the space of the first.

    Orthogonal Procrustes: Schoenemann, "A generalized solution of the
    orthogonal Procrustes problem", Psychometrika 1966, of unit embeddings.
    The rotation goes into the last layer of the expert.

    Arguments
    ---------
    modules : dict
        ``compute_features`` and ``embedding_model`` (a MoEECAPA). The
        experts are changed in place.
    wavs : iterable of torch.Tensor
        Recordings [S].

    Raises
    ------
    HyperparameterError
        If there are fewer recordings than an embedding has numbers: then
        many rotations fit them.
    """
    model = modules["embedding_model"]
    was_training = model.training
    model.eval()
    rows = [
        run_every_expert(model, modules["compute_features"](wav.unsqueeze(0)))
        for wav in wavs
    ]
    model.train(was_training)
    emb_dim = len(model.experts.experts[0].fc.conv.bias)
    if len(rows) < emb_dim:
        raise HyperparameterError(
            f"init_from names several sources, and there are {len(rows)} "
            f"recordings to bring embeddings of {emb_dim} numbers into one "
            "space: give more recordings, or a single source"
        )
    unit = F.normalize(torch.cat(rows), dim=2)
    first, *others = unit.transpose(0, 1)
    for expert, embeddings in zip(model.experts.experts[1:], others):
        left, _, right = torch.linalg.svd(embeddings.T @ first)
        turn = (left @ right).T
        for weight in expert.fc.conv.parameters():  # [D, ...]
            weight.copy_(torch.tensordot(turn, weight, 1))
