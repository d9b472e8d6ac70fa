"""Move single formants of a voice, as bodies differ in more than length.

* the spectral envelope of each frame, its first cepstral coefficients, is
  stretched here and squeezed there; pitch and tempo stay
* one longer vocal tract moves all formants alike (Praat's "Change gender");
  real speakers' formants also differ one from another (Fant, Speech
  Transmission Laboratory report 2-3, 1975)

Authors
 * The speechbrain_moe developers 2026
"""

import zlib

import numpy as np
from scipy.signal import istft, stft

SAMPLE_RATE = 16000  # Hz
FRAMING = {"fs": SAMPLE_RATE, "nperseg": 512, "noverlap": 384}
N_BINS = 257
N_CEPSTRAL = 32  # coefficients of an envelope: no pitch below 500 Hz
N_BENDS, MAX_BEND = 6, 0.16  # evenly on the mel scale, up to 8 kHz
MAX_GAIN = 5.0  # natural log


def draw_bends(name):
    """The bends that belong to a name.

    Arguments
    ---------
    name : str
        What all files of a voice have in common.

    Returns
    -------
    tuple of float
        Log factors of frequency, N_BENDS within MAX_BEND; the same for the
        same name, on every machine.

    Example
    -------
    >>> len(draw_bends("v4/ann")), draw_bends("v4/ann") == draw_bends("v4/b")
    (6, False)
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()) + 2)
    return tuple(rng.uniform(-MAX_BEND, MAX_BEND, N_BENDS).tolist())


def bend_formants(samples, bends):
    """Speech whose formants are moved, each place of the spectrum by its own.

    Arguments
    ---------
    samples : numpy.ndarray
        Speech [S], 16 kHz.
    bends : tuple of float
        Log factors, evenly on the mel scale from 0 to 8 kHz: what is at
        frequency f was at f * exp(bend). None of them: nothing moves.

    Returns
    -------
    numpy.ndarray
        float32 [S]; may be louder than 1.

    Example
    -------
    >>> noise = np.random.default_rng(0).normal(size=16000)
    >>> bend_formants(noise, (0.1,) * 6).shape
    (16000,)
    """
    samples = samples.astype(np.float32)
    if not bends:
        return samples
    spectra = stft(samples, **FRAMING)[2]
    envelopes = log_envelopes(spectra)
    gains = (moved(envelopes, bends) - envelopes).clip(-MAX_GAIN, MAX_GAIN)
    bent = istft(spectra * np.exp(gains), **FRAMING)[1]
    return bent[: len(samples)].astype(np.float32)


def log_envelopes(spectra):
    """Log spectra [F, T], smoothed over frequency by their cepstrum."""
    cepstra = np.fft.irfft(np.log(np.abs(spectra) + 1e-5), axis=0)
    cepstra[N_CEPSTRAL : 1 - N_CEPSTRAL] = 0
    return np.fft.rfft(cepstra, axis=0).real


def moved(envelopes, bends):
    """Envelopes [F, T], read at other frequencies."""
    mels = np.log1p(np.linspace(0, SAMPLE_RATE / 2, N_BINS) / 700)
    places = np.linspace(0, mels[-1], len(bends))
    bins = np.arange(N_BINS)
    sources = bins * np.exp(np.interp(mels, places, bends))
    columns = [np.interp(sources, bins, column) for column in envelopes.T]
    return np.stack(columns, axis=1)
