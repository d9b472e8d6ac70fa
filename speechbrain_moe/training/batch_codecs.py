"""What telephones and lossy codecs leave of a batch, on its device.

 * a telephone: a band that ends at once, 8-bit mu-law
 * a lossy codec at a low rate: in each frame, the bins that stand out of
   their surroundings and of silence, coarsely; the rest are holes
 * no codec's own arithmetic: where it would code, the spectrum is thinned in
   the same way, for a batch at once and on any device

Shape letters: B batch, S samples, F bins, T frames.

Authors
 * The speechbrain_moe developers 2026
"""

import math

import torch
import torch.nn.functional as F

PHONE_HZ = (3300.0, 4000.0)  # where its band ends
MU = 255.0  # ITU-T G.711
N_FFT, HOP = 512, 256  # 32 ms frames at 16 kHz, as long as those of MP3
NEIGHBOURS = 9  # bins that a bin is heard among
MASKED_DB = (-12.0, 6.0)  # above its surroundings, what is kept at least
SILENT_DB = (25.0, 55.0)  # below the frame's loudest surroundings, at most
CODED_HZ = (3800.0, 8000.0)
COARSEST = 0.5  # error of a kept bin, as a share of it


def through_codecs(wavs, prob, sample_rate=16000):
    """A share of the waveforms after a telephone or a lossy codec.

    Arguments
    ---------
    wavs : torch.Tensor
        Waveforms [B, S]; S at least 512.
    prob : float
        Share of the rows, rounded to whole rows; of these a third, rounded
        up or down by chance, goes through a telephone, the others through
        a codec.
    sample_rate : int
        In Hz.

    Returns
    -------
    torch.Tensor
        Waveforms [B, S].

    Example
    -------
    >>> wavs = torch.randn(6, 4000)
    >>> (through_codecs(wavs, 0.5) != wavs).any(1).sum().item()
    3
    """
    # As many rows each time, so that a GPU need not be asked how many
    n_coded = round(prob * len(wavs))
    rows = torch.randperm(len(wavs))[:n_coded].to(wavs.device)
    n_phones = int(n_coded / 3 + torch.rand(()).item())
    heard = wavs.clone()
    for part, codec in (
        (rows[:n_phones], by_telephone),
        (rows[n_phones:], thinned),
    ):
        if len(part):
            heard[part] = codec(wavs[part], sample_rate)
    return heard


def by_telephone(wavs, sample_rate):
    """Waveforms as a telephone passes them on.

    Mu-law companding of ITU-T G.711, to 8 bits of the loudest sample.

    Arguments
    ---------
    wavs : torch.Tensor
        Waveforms [B, S].
    sample_rate : int
        In Hz.

    Returns
    -------
    torch.Tensor
        Waveforms [B, S].
    """
    peak = wavs.abs().amax(1, keepdim=True).clamp(min=1e-5)
    law = torch.log1p(MU * wavs.abs() / peak) / math.log1p(MU)
    law = (law * 127).round() / 127
    wavs = wavs.sign() * ((1 + MU) ** law - 1) / MU * peak
    spectra = torch.fft.rfft(wavs)
    hz = frequencies(spectra.shape[1], sample_rate, wavs)
    passes = hz < between(wavs, *PHONE_HZ)
    return torch.fft.irfft(spectra * passes, wavs.shape[1])


def thinned(wavs, sample_rate):
    """Waveforms whose spectrum has holes, as of a codec that saves bits.

    Arguments
    ---------
    wavs : torch.Tensor
        Waveforms [B, S]; S at least 512.
    sample_rate : int
        In Hz.

    Returns
    -------
    torch.Tensor
        Waveforms [B, S].
    """
    window = torch.hann_window(N_FFT, device=wavs.device).sqrt()
    frames = {"n_fft": N_FFT, "hop_length": HOP, "window": window}
    # The end of the last frame would be divided by next to nothing
    longer = F.pad(wavs, (0, HOP))
    spectra = torch.stft(longer, **frames, return_complex=True)
    power = spectra.abs().square()
    around = F.avg_pool1d(
        power.transpose(1, 2), NEIGHBOURS, 1, NEIGHBOURS // 2
    ).transpose(1, 2)
    loudest = around.amax(1, keepdim=True)
    kept = power >= around * decibels(wavs, *MASKED_DB)
    kept &= around >= loudest / decibels(wavs, *SILENT_DB)
    hz = frequencies(spectra.shape[1], sample_rate, wavs)
    kept &= (hz < between(wavs, *CODED_HZ)).unsqueeze(2)
    error = between(wavs, 0.0, COARSEST).unsqueeze(2)
    coarse = 1 + error * (2 * torch.rand_like(power) - 1)
    return torch.istft(spectra * coarse * kept, **frames, length=wavs.shape[1])


def frequencies(n_bins, sample_rate, like):
    """Those of the bins of a spectrum [F], in Hz, on a tensor's device."""
    return torch.linspace(0, sample_rate / 2, n_bins, device=like.device)


def between(wavs, low, high):
    """A number for each row [B, 1]."""
    return low + (high - low) * torch.rand(len(wavs), 1, device=wavs.device)


def decibels(wavs, low, high):
    """A ratio of powers for each row [B, 1, 1], drawn in dB."""
    return 10 ** (between(wavs, low, high).unsqueeze(2) / 10)
