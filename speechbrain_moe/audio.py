"""Mono waveforms from audio files, or one clear error.

 * reading is SpeechBrain's (soundfile: wav, flac, ogg, opus)
 * channels are averaged; the sample rate is checked, never changed
 * every failure is an AudioError that names the file

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

import torch
from speechbrain.dataio import audio_io

from speechbrain_moe.errors import AudioError


def read_audio(path, sample_rate, start=0, n_samples=-1):
    """Samples of an audio file, channels averaged.

    Arguments
    ---------
    path : str, Path or file
        An audio file that soundfile reads; an open one has a ``name``.
    sample_rate : int
        Rate the file must have, in Hz.
    start : int
        First sample to read.
    n_samples : int
        Samples to read, -1 for all; fewer come back where the file ends.

    Returns
    -------
    torch.Tensor
        Waveform [S], float32, in [-1, 1].

    Raises
    ------
    AudioError
        If the file is missing, cannot be decoded, is empty, holds NaN, or has
        another sample rate; the message names the file and what to do.

    Example
    -------
    >>> read_audio("nowhere.wav", sample_rate=16000)
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.AudioError: nowhere.wav: no such file; correct the
    path
    """
    source = path
    if hasattr(path, "read"):
        path = path.name
    elif not Path(path).is_file():
        raise AudioError(f"{path}: no such file; correct the path")
    try:
        wav, rate = audio_io.load(
            source, frame_offset=start, num_frames=n_samples
        )
    except (RuntimeError, OSError) as error:
        raise AudioError(
            f"{path}: cannot be decoded ({error}); remove or replace it"
        ) from error
    if rate != sample_rate:
        raise AudioError(
            f"{path}: has {rate} Hz, wanted {sample_rate} Hz; resample it"
        )
    if wav.shape[1] == 0:
        raise AudioError(f"{path}: holds no samples; remove or replace it")
    if not torch.isfinite(wav).all():
        raise AudioError(f"{path}: holds NaN or Inf; remove or replace it")
    return wav.mean(0)
