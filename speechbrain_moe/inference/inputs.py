"""Waveforms in memory, checked before a model sees them.

 * what is right goes through as it came; arrays become tensors
 * integer samples are scaled to [-1, 1)
 * what stock SpeechBrain would take silently and answer wrongly is an
   InputError that says what to give

Shape letters: B batch, S samples.

Authors
 * The speechbrain_moe developers 2026
"""

import numpy as np
import torch

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.recordings import LOUDEST
from speechbrain_moe.inference.utterances import MIN_DURATION_S

MAX_CHANNELS = 8
SAME_RECORDING = 0.9  # correlation of two channels, but of no two voices
QUIETEST = 2e-4  # between two samples, of 2: features lose parts of it below


def checked_wavs(wavs, wav_lens=None, sample_rate=16000):
    """Waveforms and lengths that a model can be given.

    Arguments
    ---------
    wavs : torch.Tensor or np.ndarray
        Waveforms [B, S] or one [S]; floats, or 16 or 32 bit integers.
    wav_lens : torch.Tensor or np.ndarray, optional
        Relative lengths [B], above 0, at most 1.
    sample_rate : int
        In Hz.

    Returns
    -------
    wavs : torch.Tensor
        Waveforms [B, S], float32.
    wav_lens : torch.Tensor or None
        Lengths [B], float32, None if none were given.

    Raises
    ------
    InputError
        If the type or the shape is another, samples or lengths are not
        finite, samples above 1e6, lengths out of range, an utterance shorter
        than 0.1 s, constant (digital silence) or below -80 dB throughout,
        32-bit integers hold 16 bits, or two rows given without wav_lens are
        channels of one recording.

    Example
    -------
    >>> checked_wavs(torch.randn(1, 1, 16000))
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.InputError: wavs of shape [1, 1, 16000]: ...
    """
    wavs = to_tensor(wavs, "wavs")
    if wavs.dim() == 1:
        wavs = wavs.unsqueeze(0)
    check_shape(wavs)
    if not torch.isfinite(wavs).all():
        raise InputError("wavs hold NaN or Inf; remove or replace them")
    loudest = wavs.abs().max().item()
    if loudest > LOUDEST:
        raise InputError(
            f"wavs hold samples of {loudest:.3g}, wanted -1 to 1; scale them"
        )
    if wav_lens is None:
        n_samples = [wavs.shape[1]] * len(wavs)
        check_not_stereo(wavs)
    else:
        wav_lens = checked_lens(wav_lens, len(wavs)).to(wavs.device)
        n_samples = (wav_lens * wavs.shape[1]).round().int().tolist()
    for row, (wav, count) in enumerate(zip(wavs, n_samples)):
        check_utterance(row, wav[:count], sample_rate)
    return wavs, wav_lens


def to_tensor(values, name):
    """A float32 tensor of an array or tensor; sound in integers scaled."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "fi":
        if values.dtype.kind == "f":  # of any width and byte order
            values = values.astype(np.float32)
        native = values.dtype.newbyteorder("=")
        values = torch.from_numpy(np.require(values, native, ["C", "W"]))
    if not isinstance(values, torch.Tensor):
        kind = getattr(values, "dtype", type(values).__name__)
        raise InputError(
            f"{name} given as {kind}; give a float tensor or array"
        )
    if values.is_floating_point() or name == "wav_lens":
        return values.float()
    if values.dtype == torch.int32 and 0 < peak(values) < 2**16:
        raise InputError(
            f"{name} hold 32-bit integers of no more than 16 bits; give int16"
        )
    if values.dtype in (torch.int16, torch.int32):
        return values.float() / (torch.iinfo(values.dtype).max + 1)
    raise InputError(
        f"{name} hold {values.dtype}; give floats in [-1, 1], or integers of "
        "16 or 32 bits"
    )


def peak(values):
    """The largest value of a tensor, whatever its sign; 0 of an empty one."""
    return values.double().abs().max().item() if values.numel() else 0


def check_shape(wavs):
    """Refuse other shapes than [B, S]."""
    shape = list(wavs.shape)
    if wavs.dim() != 2:
        raise InputError(
            f"wavs of shape {shape}: wanted [batch, samples]; average the "
            "channels and drop their axis"
        )
    if 0 in shape:
        raise InputError(f"wavs of shape {shape}: there are no samples")
    if shape[1] <= MAX_CHANNELS < shape[0]:
        raise InputError(
            f"wavs of shape {shape}: looks like [samples, channels], wanted "
            "[batch, samples]; give wavs.mean(1)"
        )


def check_not_stereo(wavs):
    """Refuse two channels of one recording in the place of a batch.

    Two rows that are the same to the bit are left alone: as a batch or as
    channels, their embedding is the same.
    """
    if len(wavs) != 2 or torch.equal(*wavs):
        return
    one, other = (wavs - wavs.mean(1, keepdim=True)).double()
    scale = (one.norm() * other.norm()).clamp(min=1e-12)
    if abs(one @ other / scale) > SAME_RECORDING:
        raise InputError(
            f"wavs of shape {list(wavs.shape)}: the rows are channels of one "
            "recording; give their mean, or wav_lens if they are two "
            "utterances"
        )


def checked_lens(wav_lens, n_rows):
    """Relative lengths [B] as a float32 tensor."""
    lens = to_tensor(wav_lens, "wav_lens")
    if list(lens.shape) != [n_rows]:
        raise InputError(
            f"wav_lens of shape {list(lens.shape)} for {n_rows} utterances; "
            f"give [{n_rows}]"
        )
    for row, value in enumerate(lens.tolist()):
        if not 0 < value <= 1:
            raise InputError(
                f"wav_lens[{row}] is {value:g}; give lengths relative to the "
                "longest, above 0 and at most 1 (not samples)"
            )
    return lens


def check_utterance(row, wav, sample_rate):
    """Refuse an utterance that is too short, or constant."""
    if len(wav) < MIN_DURATION_S * sample_rate:
        raise InputError(
            f"wavs[{row}] lasts {len(wav) / sample_rate:.3f} s, shorter than "
            f"{MIN_DURATION_S} s; leave it out"
        )
    swing = (wav.max() - wav.min()).item()
    if swing == 0:
        raise InputError(f"wavs[{row}] is digital silence; leave it out")
    if swing < QUIETEST:
        raise InputError(
            f"wavs[{row}] is too quiet: its samples lie within {swing:.1g} of "
            "one another, of 2 that there are; scale it, or leave it out"
        )
