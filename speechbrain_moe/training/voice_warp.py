"""Other voices than the recorded ones, made on the device, batch by batch.

 * speed moves pitch, formants and tempo alike, as on a tape
 * a warp of the spectral envelope moves each formant by its own amount and
   leaves the pitch: the harmonics stay where they are, their levels change
 * a gain by frequency is the voice's colour
 * a voice is a few numbers, so any number of them costs no disk

Shape letters: B batch, S samples, K knots, F bins, T frames.

Authors
 * The speechbrain_moe developers 2026
"""

import math
from typing import NamedTuple

import torch

N_FFT, HOP = 512, 128  # 32 ms frames at 16 kHz: some harmonics in each
KNOTS = (0.0625, 0.1875, 0.3125, 0.4375, 1.0)  # of the Nyquist frequency
PITCH_LIMIT = 28  # samples of cepstrum: shorter than a period of 500 Hz
SPEEDS = (0.72, 1.38)
SHARED = 0.4  # of a voice's pitch that its formants follow, in logarithms
FORMANT_SPREAD, KNOT_SPREAD = 0.16, 0.07  # in logarithms
GAIN_DB = 3.0
LARGEST_GAIN = math.log(10.0)  # 20 dB, either way


class Voices(NamedTuple):
    """Numbers that make voices of recordings.

    Arguments
    ---------
    speeds : torch.Tensor
        How much faster each is played [B].
    scales : torch.Tensor
        How much higher the envelope is then moved, around each knot [B, K]:
        there it is as it was at knot / scale.
    gains : torch.Tensor
        What is added to the log magnitude at each knot [B, K].
    """

    speeds: torch.Tensor
    scales: torch.Tensor
    gains: torch.Tensor

    def of(self, rows):
        """The voices of some rows, a tensor of their numbers."""
        return Voices(*(tensor[rows] for tensor in self))

    def to(self, device):
        """The same numbers on a device."""
        return Voices(*(tensor.to(device) for tensor in self))


def own_voices(n):
    """Voices that leave recordings as they are.

    Arguments
    ---------
    n : int
        How many.

    Returns
    -------
    Voices
        On the CPU.
    """
    ones = torch.ones(n, len(KNOTS))
    return Voices(torch.ones(n), ones, torch.zeros_like(ones))


def draw_voices(n, generator=None):
    """Voices that no recording has.

    People with a higher voice are smaller, and their formants are higher
    too, by less: Fant, "Acoustic Theory of Speech Production", 1960; so
    formants follow the drawn pitch in part.

    Arguments
    ---------
    n : int
        How many.
    generator : torch.Generator, optional
        On the CPU, what they are drawn from.

    Returns
    -------
    Voices
        On the CPU.

    Example
    -------
    >>> voices = draw_voices(3, torch.Generator().manual_seed(0))
    >>> voices.speeds.shape, voices.scales.shape
    (torch.Size([3]), torch.Size([3, 5]))
    """
    low, high = map(math.log, SPEEDS)
    speeds = low + (high - low) * torch.rand(n, generator=generator)
    own = FORMANT_SPREAD * (2 * torch.rand(n, generator=generator) - 1)
    knots = torch.randn(n, len(KNOTS), generator=generator).clamp(-2, 2)
    # The speed has moved the formants already
    scales = ((SHARED - 1) * speeds + own).unsqueeze(1) + KNOT_SPREAD * knots
    gains = torch.randn(n, len(KNOTS), generator=generator).clamp(-2, 2)
    gains = (gains - gains.mean(1, keepdim=True)) * GAIN_DB * math.log(10) / 20
    return Voices(speeds.exp(), scales.exp(), gains)


def warp_envelopes(wavs, voices):
    """Waveforms with their spectral envelopes moved and coloured.

    The envelope is the log magnitude smoothed through its cepstrum (Bogert
    et al., 1963; the liftering of Oppenheim and Schafer), which the pitch
    takes no part in.

    Arguments
    ---------
    wavs : torch.Tensor
        Waveforms [B, S], in [-1, 1]; S at least 512.
    voices : Voices
        Their scales and gains, on the device of the waveforms.

    Returns
    -------
    torch.Tensor
        Waveforms [B, S]; equal, to rounding, where scales are 1 and gains 0.

    Example
    -------
    >>> wavs = torch.randn(2, 4000) / 10
    >>> torch.allclose(warp_envelopes(wavs, own_voices(2)), wavs, atol=1e-5)
    True
    """
    window = torch.hann_window(N_FFT, device=wavs.device)
    frames = {"n_fft": N_FFT, "hop_length": HOP, "window": window}
    spectra = torch.stft(wavs, **frames, return_complex=True)
    log_magnitudes = spectra.abs().clamp(min=1e-4).log()
    n_bins = N_FFT // 2 + 1
    knots, between = hats(n_bins, wavs.device)
    sources = knots / voices.scales @ between * (n_bins - 1)
    moved = move_matrix(sources.clamp(max=n_bins - 1))
    smooth = smoothing_matrix(n_bins, wavs.device)
    still = torch.eye(n_bins, device=wavs.device)
    gains = (moved - still) @ smooth @ log_magnitudes
    gains = gains.clamp(-LARGEST_GAIN, LARGEST_GAIN)
    gains = gains + (voices.gains @ between).unsqueeze(2)
    return torch.istft(spectra * gains.exp(), **frames, length=wavs.shape[1])


def hats(n_bins, device):
    """Knots, and what each is worth at every bin.

    Arguments
    ---------
    n_bins : int
        Bins from 0 to the Nyquist frequency, F.
    device : torch.device
        Where the tensors go.

    Returns
    -------
    torch.Tensor
        Knots [K], as shares of the Nyquist frequency.
    torch.Tensor
        Piecewise linear weights [K, F]: below the first knot, in proportion
        to the frequency.
    """
    knots = torch.tensor(KNOTS, device=device)
    edges = torch.cat([knots.new_zeros(1), knots])
    bins = torch.linspace(0, 1, n_bins, device=device)
    right = torch.searchsorted(edges, bins).clamp(1, len(KNOTS))
    share = (bins - edges[right - 1]) / (edges[right] - edges[right - 1])
    weights = torch.zeros(len(edges), n_bins, device=device)
    weights.scatter_(0, right[None], share[None])
    weights.scatter_(0, right[None] - 1, 1 - share[None])
    return knots, weights[1:]


def move_matrix(sources):
    """What takes each bin's value from another place, between bins linearly.

    Arguments
    ---------
    sources : torch.Tensor
        Places in bins [B, F].

    Returns
    -------
    torch.Tensor
        [B, F, F].

    Example
    -------
    >>> move_matrix(torch.tensor([[0.0, 0.5]])) @ torch.tensor([[2.0], [4.0]])
    tensor([[[2.],
             [3.]]])
    """
    bins = torch.arange(sources.shape[1], device=sources.device)
    return (1 - (sources.unsqueeze(2) - bins).abs()).clamp(min=0)


def smoothing_matrix(n_bins, device):
    """What smooths a log spectrum along frequency.

    Arguments
    ---------
    n_bins : int
        Bins, F.
    device : torch.device
        Where the tensor goes.

    Returns
    -------
    torch.Tensor
        [F, F]; a constant spectrum stays as it is.
    """
    spectra = torch.eye(n_bins, device=device)
    cepstra = torch.fft.irfft(spectra, dim=0)
    quefrency = torch.arange(len(cepstra), device=device)
    quefrency = torch.minimum(quefrency, len(cepstra) - quefrency)
    lifter = torch.cos(math.pi / 2 * (quefrency / PITCH_LIMIT).clamp(max=1))
    return torch.fft.rfft(cepstra * lifter.square().unsqueeze(1), dim=0).real
