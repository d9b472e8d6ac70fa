"""Whether a recording holds enough speech to decide anything by.

 * six plain figures, from frames of 40 ms; none needs a model
 * five faults, each a figure on the wrong side of a limit; the limits refuse
   less than 1 % of real recordings of short read speech and commands
 * long recordings are measured window by window, then merged
 * speech is told from silence, noise and steady sounds; music, beeps, animals
   and a crowd of voices can pass for it

Shape letters: S samples, F frames.

Authors
 * The speechbrain_moe developers 2026
"""

from typing import NamedTuple

import numpy as np
from scipy.fft import irfft, rfft

FRAME_S, HOP_S, N_FFT = 0.04, 0.02, 1024
VOICE_HZ = (60.0, 4000.0)  # below there is rumble, above there is hiss
PITCH_HZ = (70.0, 500.0)  # of men, women and children
PERIODIC = 0.11  # peak at the pitch; of a thousand frames of noise, one
CHANCE = 0.01  # share of loud frames up to which they are periodic by chance
LOUD_DB = 25.0  # frames this far below the loudest are no speech
HIGH_HZ, LOW_HZ = (5200.0, 7500.0), (1000.0, 3600.0)

SILENT_DB = -60.0
MIN_DYNAMIC_DB = 3.0
MIN_VOICED_S = 0.06  # below it there is no speech
MIN_SPEECH_S = 0.2  # below it there is too little
MIN_LENGTH_S = 1.0  # below it scores say less than nothing: Cllr above 1
MAX_CLIPPED = 0.05
MIN_HIGH_DB = -32.0
FAULTS = ("silent", "no_speech", "too_short", "clipped", "band_limited")


class Quality(NamedTuple):
    """What can be told of a recording without a model.

    Arguments
    ---------
    duration_s : float
        Length in seconds.
    level_db : float
        Level of the loud frames (95th percentile), in dB of full scale.
    dynamic_db : float
        From the soft frames (10th percentile) to the loud ones, in dB; a
        steady sound has next to none.
    voiced_s : float
        Seconds of loud, periodic frames: voiced speech. 0 for so few that
        noise would have them too.
    clipped : float
        Samples at the highest or the lowest value, as a share of those in
        loud frames, in [0, 1].
    high_db : float
        5.2 to 7.5 kHz over 1 to 3.6 kHz in the loud frames that have most
        of it (90th percentile), in dB; very low when the sound was once
        sampled at 8 kHz.

    Example
    -------
    >>> Quality(0.1, -90.0, 0.0, 0.0, 0.0, 0.0).level_db
    -90.0
    """

    duration_s: float
    level_db: float
    dynamic_db: float
    voiced_s: float
    clipped: float
    high_db: float


def measure_quality(wav, sample_rate=16000):
    """Measure a recording, or a window of one.

    Arguments
    ---------
    wav : np.ndarray
        Waveform [S], finite, S > 0.
    sample_rate : int
        In Hz, at least 16000.

    Returns
    -------
    Quality
        The figures.

    Example
    -------
    >>> measure_quality(np.zeros(16000, dtype=np.float32)).level_db
    -120.0
    """
    frames = split_frames(wav, sample_rate)
    levels = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    floor, top = np.quantile(levels, [0.1, 0.95])
    loud = levels > max(top - LOUD_DB, SILENT_DB)
    window = np.hanning(frames.shape[1]).astype(np.float32)
    power = np.abs(rfft(frames[loud] * window, N_FFT)) ** 2
    n_voiced = np.count_nonzero(periodicity(power, sample_rate) > PERIODIC)
    if n_voiced < CHANCE * len(power):
        n_voiced = 0
    return Quality(
        duration_s=len(wav) / sample_rate,
        level_db=round(float(top), 2),
        dynamic_db=round(float(top - floor), 2),
        voiced_s=round(HOP_S * int(n_voiced), 2),
        clipped=clipped_share(wav, len(power) * round(HOP_S * sample_rate)),
        high_db=round(high_band_db(power, sample_rate), 2),
    )


def clipped_share(wav, n_loud):
    """Samples at the highest or the lowest value, as a share of n_loud.

    Example
    -------
    >>> clipped_share(np.array([0.0, 0.5, 0.2, -0.1]), n_loud=4)
    0.5
    """
    if not n_loud:
        return 0.0
    centred = wav - np.mean(wav)  # an offset would bring all near the peak
    high, low = 0.99 * centred.max(), 0.99 * centred.min()
    n_at_peak = np.count_nonzero((centred >= high) | (centred <= low))
    return min(1.0, int(n_at_peak) / n_loud)


def split_frames(wav, sample_rate):
    """Frames of 40 ms each 20 ms, their mean removed [F, 640 at 16 kHz]."""
    width, hop = round(FRAME_S * sample_rate), round(HOP_S * sample_rate)
    wav = np.asarray(wav, dtype=np.float32)
    wav = np.pad(wav, (0, max(0, width - len(wav))))
    frames = np.lib.stride_tricks.sliding_window_view(wav, width)[::hop]
    return frames - frames.mean(axis=1, keepdims=True)


def periodicity(power, sample_rate):
    """Height of the autocorrelation's peak at a voice's pitch.

    Of the spectrum's cube root, which levels it: otherwise noise that falls
    with frequency, as wind does, is a low tone. As in Tolonen and Karjalainen,
    "A computationally efficient multipitch analysis model", IEEE TSAP 8(6),
    2000, whose exponent is 0.67 of the amplitude.

    Arguments
    ---------
    power : np.ndarray
        Power spectra of frames [F, 513].
    sample_rate : int
        In Hz.

    Returns
    -------
    np.ndarray
        About 0.4 for a periodic frame, near 0 for noise [F].
    """
    hz = np.arange(power.shape[1]) * sample_rate / N_FFT
    heard = (hz >= VOICE_HZ[0]) & (hz < VOICE_HZ[1])
    lags = irfft(np.where(heard, np.cbrt(power), 0), axis=1)
    first, last = (round(sample_rate / hz) for hz in reversed(PITCH_HZ))
    height = lags[:, first - 1 : last + 2] / (lags[:, :1] + 1e-12)
    inner, before, after = height[:, 1:-1], height[:, :-2], height[:, 2:]
    # A hill, not the slope that noise falling with frequency has
    hill = (inner > before) & (inner >= after)
    return np.where(hill, inner, 0).max(axis=1, initial=0)


def high_band_db(power, sample_rate):
    """What is above telephone band, over what is in it.

    Arguments
    ---------
    power : np.ndarray
        Power spectra of frames [F, 513].
    sample_rate : int
        In Hz.

    Returns
    -------
    float
        90th percentile over the frames, in dB; 0 without frames, and of
        audio that has no such band.
    """
    if not len(power) or sample_rate / 2 <= HIGH_HZ[0]:
        return 0.0
    hz = np.arange(power.shape[1]) * sample_rate / N_FFT
    high, low = (
        power[:, (hz >= band[0]) & (hz < band[1])].mean(axis=1)
        for band in (HIGH_HZ, LOW_HZ)
    )
    ratios = 10 * np.log10((high + 1e-12) / (low + 1e-12))
    return float(np.quantile(ratios, 0.9))


def merge_qualities(parts):
    """The quality of a recording from those of its windows.

    Arguments
    ---------
    parts : list of Quality
        One or more.

    Returns
    -------
    Quality
        Durations added; the clipped share is the mean over voiced speech; of
        level, dynamic and high_db the highest, so that a fault is one only
        when every window has it.

    Example
    -------
    >>> one = Quality(10.0, -20.0, 30.0, 4.0, 0.0, -10.0)
    >>> merge_qualities([one, one._replace(level_db=-70.0)])[:4]
    (20.0, -20.0, 30.0, 8.0)
    """
    table = np.array(parts)
    duration_s, voiced_s = table[:, 0].sum(), table[:, 3].sum()
    level_db, dynamic_db, high_db = table[:, [1, 2, 5]].max(axis=0)
    weights = table[:, 3] + 1e-9 * table[:, 0]  # for windows without voice
    clipped = table[:, 4] @ weights / weights.sum()
    found = duration_s, level_db, dynamic_db, voiced_s, clipped, high_db
    return Quality(*map(float, found))


def find_faults(quality):
    """What speaks against deciding by a recording.

    Arguments
    ---------
    quality : Quality
        Of the whole recording.

    Returns
    -------
    dict of str
        Fault (of FAULTS) to the figure and its limit in words; empty when
        there is none. A recording that is silent or shorter than a second
        has that fault alone; one without speech is not called too short.

    Example
    -------
    >>> find_faults(Quality(2.0, -20.0, 35.0, 0.12, 0.0, -10.0))
    {'too_short': '0.12 s of voiced speech, 0.2 s wanted'}
    """
    q = quality
    if q.level_db < SILENT_DB:
        said = f"at {q.level_db:.0f} dB of full scale, {SILENT_DB:g} wanted"
        return {"silent": f"silence {said}"}
    if q.duration_s < MIN_LENGTH_S:
        said = f"lasts {q.duration_s:.2f} s, {MIN_LENGTH_S:g} s wanted"
        return {"too_short": said}
    faults = {}
    if q.dynamic_db < MIN_DYNAMIC_DB:
        faults["no_speech"] = (
            f"a steady sound, its level moves by {q.dynamic_db:.1f} dB, "
            f"{MIN_DYNAMIC_DB:g} wanted"
        )
    elif q.voiced_s < MIN_VOICED_S:
        faults["no_speech"] = f"no speech, {q.voiced_s:.2f} s voiced"
    elif q.voiced_s < MIN_SPEECH_S:
        faults["too_short"] = (
            f"{q.voiced_s:.2f} s of voiced speech, {MIN_SPEECH_S:g} s wanted"
        )
    if q.clipped > MAX_CLIPPED:
        faults["clipped"] = (
            f"{100 * q.clipped:.1f} % of the samples are clipped, at most "
            f"{100 * MAX_CLIPPED:g} % wanted"
        )
    if q.high_db < MIN_HIGH_DB:
        faults["band_limited"] = (
            "nothing above 4 kHz, as of a telephone or an 8 kHz recording "
            f"({q.high_db:.0f} dB, {MIN_HIGH_DB:g} wanted)"
        )
    return faults
