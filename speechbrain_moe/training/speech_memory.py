"""Speech in a device's memory, and crops of it at any speed.

 * 16-bit samples: an hour at 16 kHz takes 115 MB
 * a crop costs no reading and no process beside the training

Shape letters: B batch, S samples.

Authors
 * The speechbrain_moe developers 2026
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from speechbrain_moe.audio import read_audio

HALF_TAPS = 8  # samples on either side that an interpolated one is made of


class Speech(NamedTuple):
    """Recordings in memory.

    Arguments
    ---------
    samples : torch.Tensor
        All samples, recording after recording [samples], int16.
    starts, lengths : torch.Tensor
        Where each of N recordings is [N], int64.
    """

    samples: torch.Tensor
    starts: torch.Tensor
    lengths: torch.Tensor


def load_speech(paths, sample_rate, device):
    """Read recordings into the memory of a device.

    Arguments
    ---------
    paths : list of str
        Audio files.
    sample_rate : int
        Their rate, in Hz.
    device : torch.device or str
        Where the samples go.

    Returns
    -------
    Speech
        The recordings, in the order of the paths.

    Raises
    ------
    AudioError
        If a file cannot be used; the message names it.
    """

    def read(path):
        wav = np.asarray(read_audio(path, sample_rate))
        return np.round(wav * 32767).clip(-32768, 32767).astype(np.int16)

    with ThreadPoolExecutor() as pool:
        wavs = list(
            tqdm(
                pool.map(read, paths),
                desc="speech",
                total=len(paths),
                disable=None,
            )
        )
    lengths = torch.tensor([len(wav) for wav in wavs])
    return Speech(
        torch.from_numpy(np.concatenate(wavs)).to(device),
        (lengths.cumsum(0) - lengths).to(device),
        lengths.to(device),
    )


def play(speech, rows, shares, speeds, n_samples):
    """Crops of recordings, each at its own speed.

    Band-limited interpolation with a windowed sinc: Smith and Gossett, "A
    flexible sampling-rate conversion method", ICASSP 1984. Played faster,
    what would pass the Nyquist frequency is taken off.

    Arguments
    ---------
    speech : Speech
        The recordings.
    rows : torch.Tensor
        Which ones [B].
    shares : torch.Tensor
        Where each crop starts [B]: 0 the first place there is, 1 the last.
    speeds : torch.Tensor
        Factors [B].
    n_samples : int
        Length of a crop, S; a shorter recording starts again.

    Returns
    -------
    torch.Tensor
        Waveforms [B, S], float32, in [-1, 1].

    Example
    -------
    >>> samples = torch.arange(6, dtype=torch.int16)
    >>> speech = Speech(samples, torch.tensor([0]), torch.tensor([6]))
    >>> one = torch.ones(1)
    >>> (32767 * play(speech, one.long() - 1, one, one, 4)).round().tolist()
    [[2.0, 3.0, 4.0, 5.0]]
    """
    starts = speech.starts[rows].unsqueeze(1)
    lengths = speech.lengths[rows].unsqueeze(1)
    speeds = speeds.double().unsqueeze(1)
    slack = (lengths - n_samples * speeds).clamp(min=0) * shares.unsqueeze(1)
    steps = torch.arange(n_samples, device=rows.device)
    # Whole places and what is left of them, since float32 would be too short
    places = slack.round() + steps * speeds
    whole = places.floor()
    rest, whole = (places - whole).float(), whole.long()
    cut = (1 / speeds).clamp(max=1).float()
    wavs = torch.zeros_like(rest)
    for tap in range(1 - HALF_TAPS, HALF_TAPS + 1):
        index = starts + (whole + tap) % lengths
        away = tap - rest
        weight = torch.sinc(cut * away) * cut
        weight *= torch.cos(torch.pi / 2 * away / HALF_TAPS).square()
        wavs += speech.samples[index] * weight
    return wavs / 32767
