"""Embeddings of files, and figures that speak of their quality.

 * one file at a time unless asked otherwise: an embedding never depends on
   which other files are in the list
 * batches hold files of like length; the encoder sees no padding, so they
   give the same numbers to rounding
 * the quality figures come from the same forward pass
 * errors name the file

Shape letters: B batch, S samples, D emb_dim, U files.

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from speechbrain_moe.errors import AudioError, InputError, PackageError
from speechbrain_moe.inference.utterances import read_utterance
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA

QUALITY = ("duration_s", "magnitude", "entropy", "agreement")
N_BATCHES = 16  # read at a time, then sorted by length


class FileEmbeddings(NamedTuple):
    """Embeddings of files, with the quality of each.

    Arguments
    ---------
    paths : list of str
        The files that could be embedded, U.
    embeddings : np.ndarray
        One row a path [U, D], float32.
    quality : dict of np.ndarray
        By name, [U] float64 each: duration_s; magnitude, the weighted
        length of the experts' raw embeddings; entropy of the gate, in nats;
        agreement of the chosen experts, in [0, 1].
    broken : dict
        Files that could not be embedded, and why.

    Example
    -------
    >>> FileEmbeddings([], np.zeros((0, 2)), {}, {"a.wav": "no such file"})[3]
    {'a.wav': 'no such file'}
    """

    paths: list[str]
    embeddings: np.ndarray
    quality: dict[str, np.ndarray]
    broken: dict[str, str]


def describe_files(encoder, paths, folder, batch_size=1, skip_broken=False):
    """Embed audio files and tell their quality.

    Arguments
    ---------
    encoder : SpeakerRecognition
        What ``load_encoder`` returned; its embedding model is a MoEECAPA.
    paths : list of str
        Distinct files, relative to folder.
    folder : str or Path
        Where they are.
    batch_size : int
        Utterances at a time; those above 1 are batches of like length.
    skip_broken : bool
        Whether to go on past files that cannot be used.

    Returns
    -------
    FileEmbeddings
        In the order of paths, without the broken ones.

    Raises
    ------
    PackageError
        If the model is no MoEECAPA.
    AudioError
        If a file cannot be used, unless they are to be skipped.
    InputError
        If batch_size is below 1.
    """
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}; give 1 or more")
    rows, broken = {}, {}
    progress = tqdm(total=len(paths), desc="embedding", disable=None)
    for start in range(0, len(paths), N_BATCHES * batch_size):
        window = paths[start : start + N_BATCHES * batch_size]
        wavs = read_files(encoder, window, folder, broken)
        if broken and not skip_broken:
            path, reason = next(iter(broken.items()))
            raise AudioError(f"{Path(folder) / path}: {reason}")
        rows |= describe_wavs(encoder, wavs, batch_size)
        progress.update(len(window))
    progress.close()
    kept = [path for path in paths if path in rows]
    return FileEmbeddings(
        kept,
        np.array([rows[path][0] for path in kept], dtype=np.float32),
        {
            name: np.array([rows[p][i] for p in kept], dtype=np.float64)
            for i, name in enumerate(QUALITY, start=1)
        },
        broken,
    )


def read_files(encoder, paths, folder, broken):
    """Read utterances, setting aside those that cannot be used.

    Arguments
    ---------
    encoder : SpeakerRecognition
        Says the sample rate.
    paths : list of str
        Files, relative to folder.
    folder : str or Path
        Where they are.
    broken : dict
        Filled with path and reason of files that cannot be used.

    Returns
    -------
    dict of torch.Tensor
        Waveforms [S] by path.
    """
    wavs = {}
    for path in paths:
        file = Path(folder) / path
        try:
            wavs[path] = read_utterance(file, encoder.hparams.sample_rate)
        except AudioError as error:
            broken[path] = str(error).removeprefix(f"{file}: ")
    return wavs


def describe_wavs(encoder, wavs, batch_size=1):
    """Embed waveforms in batches of like length.

    Arguments
    ---------
    encoder : SpeakerRecognition
        Its embedding model is a MoEECAPA.
    wavs : dict of torch.Tensor
        Waveforms [S] by name.
    batch_size : int
        Utterances at a time.

    Returns
    -------
    dict of tuple
        By name the embedding [D], then a number for each of QUALITY.
    """
    order = sorted(wavs, key=lambda name: len(wavs[name]))
    rows = {}
    for first in range(0, len(order), batch_size):
        names = order[first : first + batch_size]
        columns = describe_batch(encoder, [wavs[name] for name in names])
        rows |= zip(names, zip(*columns))
    return rows


def describe_batch(encoder, wavs):
    """Embed one batch.

    Arguments
    ---------
    encoder : SpeakerRecognition
        Its embedding model is a MoEECAPA.
    wavs : list of torch.Tensor
        Waveforms [S], of any lengths.

    Returns
    -------
    list of np.ndarray
        Embeddings [B, D], then [B] for each of QUALITY.

    Raises
    ------
    PackageError
        If the model is no MoEECAPA.
    """
    model = encoder.mods.embedding_model
    if not isinstance(model, MoEECAPA):
        raise PackageError(
            f"the embedding_model is a {type(model).__name__}: quality is "
            "told by a MoEECAPA alone"
        )
    embedding, routing = run_encoder(encoder, wavs)
    n_samples = torch.tensor([len(wav) for wav in wavs])
    duration_s = n_samples.double() / encoder.hparams.sample_rate
    entropy = torch.special.entr(routing.gate_probs).sum(1)
    found = embedding, duration_s, routing.norm, entropy, routing.agreement
    return [x.cpu().numpy() for x in found]


@torch.no_grad()
def run_encoder(encoder, wavs):
    """Embeddings and routing of waveforms, in evaluation mode.

    Arguments
    ---------
    encoder : SpeakerRecognition
        Its embedding model is a MoEECAPA.
    wavs : list of torch.Tensor
        Waveforms [S], of any lengths.

    Returns
    -------
    torch.Tensor
        Embeddings of length 1 [B, D].
    Routing
        See ``MoEECAPA``.
    """
    n_samples = torch.tensor([len(wav) for wav in wavs])
    batch = pad_sequence(wavs, batch_first=True).to(encoder.device)
    lens = (n_samples / batch.shape[1]).to(encoder.device)
    feats = encoder.mods.compute_features(batch)
    feats = encoder.mods.mean_var_norm(feats, lens)
    model = encoder.mods.embedding_model.eval()
    embedding, routing = model(feats, lens, return_routing=True)
    return embedding[:, 0], routing
