"""Change voices and channels of speech files; the worker of change_voices.py.

* a voice is changed by Praat's "Change gender": formants, pitch, its range
  and the tempo, each on its own (Boersma, Glot International 5, 2001)
* a channel is a codec or a band limit, written and read again by soundfile
* what is drawn follows from names alone: a channel from that of the new file,
  a voice from that file's too, or from its speaker's

Authors
 * The speechbrain_moe developers 2026
"""

import io
import json
import sys
import zlib
from typing import NamedTuple

import numpy as np
import parselmouth
import soundfile
from formant_bends import bend_formants, draw_bends
from parselmouth.praat import call
from scipy.signal import butter, resample_poly, sosfiltfilt

from speechbrain_moe.audio import read_audio
from speechbrain_moe.errors import AudioError
from speechbrain_moe.files import write_whole

SAMPLE_RATE = 16000  # Hz
PITCH_HZ = (75, 600)  # where Praat looks for it
CHANNELS = ("opus", "mp3", "ulaw", "gsm", "narrow", "low_pass", "high_pass")
CHANNEL_PROB = 0.5


class Change(NamedTuple):
    """How a voice is changed, and the channel it is heard through.

    Arguments
    ---------
    formants, pitch, pitch_range, duration : float
        Factors; a duration above 1 is slower speech.
    channel : str or None
        One of CHANNELS.
    bends : tuple of float
        Of ``draw_bends``; empty: none.
    """

    formants: float
    pitch: float
    pitch_range: float
    duration: float
    channel: str | None
    bends: tuple[float, ...] = ()


def draw_change(name, bend=False):
    """The change that belongs to a name.

    Formants move by 4 to 19 % up or down, which most ears take for another
    speaker; pitch by up to 35 %.

    Arguments
    ---------
    name : str
        Path of the new file below its folder, or what all files of a new
        voice have in common.
    bend : bool
        Whether single formants move, too.

    Returns
    -------
    Change
        The same for the same name, on every machine.

    Example
    -------
    >>> draw_change("v1/a.wav") == draw_change("v1/a.wav")
    True
    >>> 0.82 < draw_change("v1/a.wav").formants < 1.20
    True
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    sign = rng.choice([-1, 1])
    channel = rng.choice(CHANNELS) if rng.random() < CHANNEL_PROB else None
    return Change(
        formants=float(np.exp(sign * rng.uniform(0.04, 0.17))),
        pitch=float(np.exp(rng.uniform(-0.30, 0.30))),
        pitch_range=float(np.exp(rng.uniform(-0.25, 0.25))),
        duration=float(np.exp(rng.uniform(-0.15, 0.15))),
        channel=None if channel is None else str(channel),
        bends=draw_bends(name) if bend else (),
    )


def change_voice(samples, change):
    """Speech of another voice.

    Arguments
    ---------
    samples : numpy.ndarray
        Speech [S], 16 kHz.
    change : Change
        Its channel is not looked at.

    Returns
    -------
    numpy.ndarray
        float32, as long as the change makes it. Speech without a voiced
        frame keeps its pitch.
    """
    sound = parselmouth.Sound(samples.astype(np.float64), SAMPLE_RATE)
    frames = sound.to_pitch(0.02, *PITCH_HZ).selected_array["frequency"]
    voiced = frames[frames > 0]
    pitch_hz = float(np.median(voiced)) * change.pitch if len(voiced) else 0.0
    changed = call(
        sound,
        "Change gender",
        *PITCH_HZ,
        change.formants,
        pitch_hz,
        change.pitch_range,
        change.duration,
    )
    return fit(bend_formants(changed.values[0], change.bends))


def pass_channel(samples, channel, strength):
    """Speech as a channel leaves it.

    Arguments
    ---------
    samples : numpy.ndarray
        Speech [S], 16 kHz.
    channel : str or None
        One of CHANNELS; None changes nothing.
    strength : float
        From 0 (mild) to 1: bit rate, or edge of the band.

    Returns
    -------
    numpy.ndarray
        float32 [S].

    Example
    -------
    >>> noise = np.random.default_rng(0).normal(size=16000).clip(-1, 1)
    >>> heard = pass_channel(noise.astype(np.float32), "narrow", 0.0)
    >>> spectrum = np.abs(np.fft.rfft(heard))  # of 1 s: 1 Hz a bin
    >>> bool(spectrum[5000:].max() < 0.01 * spectrum[:3000].max())
    True
    """
    if channel in ("opus", "mp3"):
        kind = {"opus": ("OGG", "OPUS"), "mp3": ("MP3", "MPEG_LAYER_III")}
        level = 0.5 + 0.45 * strength
        return coded(samples, SAMPLE_RATE, *kind[channel], level)
    if channel in ("ulaw", "gsm", "narrow"):
        low = resample_poly(samples, 1, 2).astype(np.float32)
        if channel != "narrow":
            kind = {"ulaw": "ULAW", "gsm": "GSM610"}[channel]
            low = coded(low, SAMPLE_RATE // 2, "WAV", kind)
        return to_length(resample_poly(low, 2, 1), len(samples))
    if channel is None:
        return samples
    edge = {
        "low_pass": 7000 - 4200 * strength,
        "high_pass": 100 + 300 * strength,
    }
    kind = channel.replace("_", "")
    sos = butter(6, edge[channel], kind, fs=SAMPLE_RATE, output="sos")
    return fit(sosfiltfilt(sos, samples).astype(np.float32))


def coded(samples, rate, container, codec, compression=None):
    """Samples written with a codec and read again, as many of them."""
    file = io.BytesIO()
    more = {} if compression is None else {"compression_level": compression}
    soundfile.write(
        file, fit(samples), rate, format=container, subtype=codec, **more
    )
    file.seek(0)
    heard, _ = soundfile.read(file, dtype="float32")
    return to_length(heard, len(samples))


def to_length(samples, n_samples):
    """The first n_samples, zeros behind them if there are fewer."""
    samples = samples[:n_samples].astype(np.float32)
    return np.pad(samples, (0, n_samples - len(samples)))


def fit(samples):
    """Samples scaled down where they would clip."""
    peak = np.abs(samples).max(initial=0)
    return samples / peak * 0.99 if peak > 0.99 else samples


def write_voice(source, target, name, voice_name, bend=False):
    """Write the file of one new name; the clean voice goes to a teacher.

    Arguments
    ---------
    source : str
        Speech to change.
    target : str
        Folder of new files: ``clean`` holds the voice, ``heard`` the voice
        through its channel.
    name : str
        Path below both; the channel is drawn by it.
    voice_name : str or None
        What the voice is drawn by; None leaves it as it is, with no channel.
    bend : bool
        Whether single formants of the voice move, too.
    """
    voice, channel = read_audio(source, SAMPLE_RATE).numpy(), None
    if voice_name is not None:
        voice = change_voice(voice, draw_change(voice_name, bend))
        channel = draw_change(name).channel
    strength = np.random.default_rng(zlib.crc32(name.encode()) + 1).random()
    heard = pass_channel(voice, channel, float(strength))
    for kind, samples in (("clean", voice), ("heard", heard)):
        write_whole(
            f"{target}/{kind}/{name}",
            lambda path, s=samples: soundfile.write(path, s, SAMPLE_RATE),
        )


if __name__ == "__main__":
    question = json.load(sys.stdin)
    target, bent = question["target"], question["bend"]
    broken = []
    for source, name, voice_name in question["files"]:
        try:
            write_voice(source, target, name, voice_name, bent)
        except (AudioError, RuntimeError) as error:  # what Praat raises, too
            broken.append(f"{source}: {error}")
    print(json.dumps([len(question["files"]), broken]))
