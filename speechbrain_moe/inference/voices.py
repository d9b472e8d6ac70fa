"""What is known of a recording's voice: embedding, experts, quality.

 * a recording of up to 30 s is one window and one embedding, as stock
   SpeechBrain gives it; a longer one is the mean of its windows' embeddings,
   weighted by how much voiced speech each has
 * windows of many files are encoded in batches of like length; the encoder
   sees no padding, so they give the same numbers to rounding
 * memory is bounded by the batch, whatever the files' lengths

Shape letters: S samples, A experts that run, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

from typing import NamedTuple

import numpy as np
import torch

from speechbrain_moe.errors import InputError, PackageError
from speechbrain_moe.inference.file_embeddings import run_encoder
from speechbrain_moe.inference.quality import (
    Quality,
    find_faults,
    measure_quality,
    merge_qualities,
)
from speechbrain_moe.inference.recordings import read_windows
from speechbrain_moe.inference.routing import weights_of_all
from speechbrain_moe.inference.utterances import MIN_DURATION_S
from speechbrain_moe.lobes.moe_ecapa import MoEECAPA

N_BATCHES = 4  # of windows, held at a time and sorted by length
LEAST_WEIGHT_S = 0.01  # of a window with no voiced speech


class Voice(NamedTuple):
    """The voice of one recording.

    Arguments
    ---------
    path : str
        The file.
    quality : Quality
        Of the whole recording.
    faults : dict of str
        What speaks against deciding by it, in words, by name.
    embedding : np.ndarray or None
        Length 1, [D] float32; None for silence and below 0.1 s.
    experts : np.ndarray or None
        Weight of each expert in the embedding, mean over windows, sum 1,
        [A] float32, the always-on one last if there is one.

    Example
    -------
    >>> quality = Quality(1.0, -90.0, 0.0, 0.0, 0.0, 0.0)
    >>> Voice("a.wav", quality, {"silent": "silence"}).embedding
    """

    path: str
    quality: Quality
    faults: dict[str, str]
    embedding: np.ndarray | None = None
    experts: np.ndarray | None = None


class Window(NamedTuple):
    """A window to encode: the file it is of, waveform, and its weight."""

    file: int
    wav: torch.Tensor
    weight: float


def describe_voices(encoder, paths, batch_size=1):
    """Tell embedding, experts and quality of recordings.

    Arguments
    ---------
    encoder : SpeakerRecognition
        Its embedding model is a MoEECAPA.
    paths : list of str or Path
        Files of any rate from 8 kHz and any length.
    batch_size : int
        Windows encoded at a time, 1 or more.

    Returns
    -------
    list of Voice
        In the order of paths.

    Raises
    ------
    AudioError
        If a file cannot be used at all; the message names it.
    InputError
        If batch_size is below 1.
    PackageError
        If the model is no MoEECAPA.
    """
    if not isinstance(batch_size, int) or batch_size < 1:
        raise InputError(f"batch_size is {batch_size!r}; give 1 or more")
    model = encoder.mods.embedding_model
    if not isinstance(model, MoEECAPA):
        raise PackageError(
            f"the embedding_model is a {type(model).__name__}: experts are "
            "told by a MoEECAPA alone; stock SpeakerRecognition takes others"
        )
    qualities, waiting, sums = [], [], {}
    for file, path in enumerate(paths):
        qualities.append([])
        for wav in read_windows(path, encoder.audio_normalizer):
            window = measured_window(encoder, file, wav, qualities[file])
            waiting += [window] if window else []
            if len(waiting) == N_BATCHES * batch_size:
                add_windows(encoder, waiting, batch_size, sums)
                waiting.clear()
    add_windows(encoder, waiting, batch_size, sums)
    return [
        make_voice(path, qualities[file], sums.get(file))
        for file, path in enumerate(paths)
    ]


def measured_window(encoder, file, wav, qualities):
    """A window to encode; None if silent or too short. Adds its quality."""
    rate = encoder.audio_normalizer.sample_rate
    quality = measure_quality(wav.numpy(), rate)
    qualities.append(quality)
    short = quality.duration_s < MIN_DURATION_S
    if short or "silent" in find_faults(quality):
        return None
    return Window(file, wav, max(quality.voiced_s, LEAST_WEIGHT_S))


def add_windows(encoder, windows, batch_size, sums):
    """Encode windows in batches of like length; add them up by file."""
    order = sorted(windows, key=lambda window: len(window.wav))
    for first in range(0, len(order), batch_size):
        batch = order[first : first + batch_size]
        found = encode_wavs(encoder, [window.wav for window in batch])
        for window, *rows in zip(batch, *found):
            weighted = [window.weight * row for row in rows]
            so_far = sums.get(window.file, (0.0, 0.0))
            sums[window.file] = [a + b for a, b in zip(so_far, weighted)]


def encode_wavs(encoder, wavs):
    """Embeddings [B, D] and weights of all experts [B, A] of waveforms.

    Arguments
    ---------
    encoder : SpeakerRecognition
        Its embedding model is a MoEECAPA.
    wavs : list of torch.Tensor
        Waveforms [S], of like lengths.

    Returns
    -------
    embeddings, experts : np.ndarray
        Rows of length 1, and rows that sum to 1, float32.
    """
    model = encoder.mods.embedding_model
    embeddings, routing = run_encoder(encoder, wavs)
    n_all = model.n_experts + bool(model.always_on_weight)
    experts = weights_of_all(routing, n_all, model.always_on_weight)
    return embeddings.cpu().numpy(), experts.cpu().numpy()


def make_voice(path, qualities, sums):
    """A Voice from the qualities and the sums of a file's windows."""
    quality = merge_qualities(qualities)
    faults = find_faults(quality)
    if sums is None:
        return Voice(str(path), quality, faults)
    embedding, experts = (np.asarray(row, dtype=np.float32) for row in sums)
    experts /= experts.sum()
    return Voice(str(path), quality, faults, unit(embedding), experts)


def unit(vector):
    """A vector scaled to length 1.

    Example
    -------
    >>> unit(np.array([3.0, 4.0])).tolist()
    [0.6, 0.8]
    """
    return vector / max(np.linalg.norm(vector), 1e-12)
