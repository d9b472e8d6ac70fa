"""Embeddings of many files, each encoded alone.

 * one file at a time: no padding, so that an embedding never depends on
   which other files are in the list
 * errors name the file

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from speechbrain_moe.audio import read_audio
from speechbrain_moe.errors import AudioError

MIN_DURATION_S = 0.1  # ECAPA's reflected edges need about 0.05 s


def embed_files(encode, paths, folder, sample_rate=16000):
    """Embed audio files.

    Arguments
    ---------
    encode : callable
        Maps waveforms [1, S] to embeddings [1, 1, D], such as
        ``SpeakerRecognition.encode_batch``.
    paths : list of str
        Files, relative to folder.
    folder : str or Path
        Where they are.
    sample_rate : int
        Rate they must have, in Hz.

    Returns
    -------
    np.ndarray
        Embeddings [len(paths), D], float64, in the order of paths.

    Raises
    ------
    AudioError
        If a file cannot be used; the message names it.

    Example
    -------
    >>> import soundfile
    >>> folder = getfixture("tmp_path")
    >>> soundfile.write(folder / "a.wav", np.ones(4000), 16000)
    >>> encode = lambda wavs: wavs.mean(1).view(1, 1, 1)
    >>> embed_files(encode, ["a.wav"], folder).shape
    (1, 1)
    """
    progress = tqdm(paths, desc="embedding", unit="file", disable=None)
    rows = [embed_file(encode, Path(folder) / p, sample_rate) for p in progress]
    return np.stack(rows)


def embed_file(encode, path, sample_rate=16000):
    """Embed one audio file.

    Arguments
    ---------
    encode : callable
        Maps waveforms [1, S] to embeddings [1, 1, D].
    path : str or Path
        The file.
    sample_rate : int
        Rate it must have, in Hz.

    Returns
    -------
    np.ndarray
        Embedding [D], float64.

    Raises
    ------
    AudioError
        If the file cannot be used or is shorter than 0.1 s.
    """
    wav = read_utterance(path, sample_rate)
    with torch.no_grad():
        embedding = encode(wav.unsqueeze(0))
    return embedding.flatten().cpu().numpy().astype(np.float64)


def read_utterance(path, sample_rate):
    """Read an utterance that is long enough to embed.

    Arguments
    ---------
    path : str or Path
        The file.
    sample_rate : int
        Rate it must have, in Hz.

    Returns
    -------
    torch.Tensor
        Waveform [S].

    Raises
    ------
    AudioError
        If the file cannot be used or is shorter than 0.1 s.
    """
    wav = read_audio(path, sample_rate)
    if len(wav) < MIN_DURATION_S * sample_rate:
        raise AudioError(
            f"{path}: lasts {len(wav) / sample_rate:.3f} s, shorter than "
            f"{MIN_DURATION_S} s; leave it out"
        )
    return wav
