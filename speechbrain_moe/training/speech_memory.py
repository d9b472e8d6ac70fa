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
N_PHASES = 512  # places between two samples; white noise is right to -60 dB
N_AT_ONCE = 4  # crops, so that a CPU keeps their taps in its cache


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
    # In whole phases, since float32 would be too short
    places = (steps * speeds * N_PHASES).round().long()
    whole, phases = places // N_PHASES, places % N_PHASES
    first = slack.round().long() + 1 - HALF_TAPS
    span = torch.arange(int(whole.max()) + 2 * HALF_TAPS, device=rows.device)
    heard = speech.samples[starts + (first + span) % lengths].float()
    taps = heard.unfold(1, 2 * HALF_TAPS, 1)
    weights = tap_weights((1 / speeds).clamp(max=1).float())
    parts = zip(*(e.split(N_AT_ONCE) for e in (taps, whole, weights, phases)))
    return torch.cat([interpolate(*part) for part in parts]) / 32767


def tap_weights(cuts):
    """What each tap is worth, for each phase.

    Arguments
    ---------
    cuts : torch.Tensor
        What passes of the band, as a share of it [B, 1].

    Returns
    -------
    torch.Tensor
        Weights [B, phases, taps].
    """
    phases = torch.arange(N_PHASES, device=cuts.device).unsqueeze(1) / N_PHASES
    taps = torch.arange(1 - HALF_TAPS, HALF_TAPS + 1, device=cuts.device)
    away, cuts = taps - phases, cuts.unsqueeze(2)
    window = torch.cos(torch.pi / 2 * away / HALF_TAPS).square()
    return torch.sinc(cuts * away) * cuts * window


def interpolate(taps, whole, weights, phases):
    """Samples between samples.

    Arguments
    ---------
    taps : torch.Tensor
        The samples around each place there is [B, places, taps].
    whole : torch.Tensor
        Which of these places each wanted one follows [B, S], int64.
    weights : torch.Tensor
        Weights [B, phases, taps].
    phases : torch.Tensor
        How far it follows, in phases [B, S], int64.

    Returns
    -------
    torch.Tensor
        Waveforms [B, S].
    """
    rows = torch.arange(len(taps), device=taps.device).unsqueeze(1)
    return (taps[rows, whole] * weights[rows, phases]).sum(2)
