"""Noises for training, made on this machine without a download.

 * ends in wavs and a csv that ``MixNoise`` of augment.py reads
 * a folder of real recordings (MUSAN) replaces the generated ones
 * seeded per file: two runs write the same bytes

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

import numpy as np
import soundfile as sf
from tqdm import tqdm

from speechbrain_moe.errors import AudioError
from speechbrain_moe.training.sound_list import (
    audio_header,
    check_positive,
    find_audio,
    sound_key,
    write_sound_list,
    write_wav,
)

NOISE_RMS = 0.05  # -26 dBFS: room for the peaks of bursts

FOLDER_KINDS = {"noise": "noise", "music": "music", "speech": "babble"}


def prepare_noises(
    csv_path,
    folder,
    speech_paths=None,
    noise_folder=None,
    n_noises=120,
    duration_s=6.0,
    sample_rate=16000,
    seed=1234,
):
    """Write the csv of noises that ``MixNoise`` reads.

    With ``noise_folder`` its files are listed in place; those in folders
    named music and speech count as such. Without it, noises are generated:
    babble (if there is speech), coloured, bursts, tones like music, hum,
    band noise, in turn. Call it from one process (``run_on_main``), with one
    folder per csv.

    Arguments
    ---------
    csv_path : str or Path
        The csv to write; its key goes beside it as ``.json``.
    folder : str or Path
        Where generated wavs go.
    speech_paths : list of str, optional
        Speech for the babble, mono or first channel. Training speakers only:
        a test speaker here would leak into training.
    noise_folder : str or Path, optional
        Real noises, searched recursively for wav, flac, ogg and opus.
    n_noises : int
        How many to generate; not used with ``noise_folder``.
    duration_s : float
        Length of each generated noise; longer crops hear it again.
    sample_rate : int
        In Hz; source files must have it.
    seed : int
        Same seed and arguments, same bytes.

    Returns
    -------
    str
        ``csv_path``. Nothing is written when it is current already.

    Raises
    ------
    AudioError
        If ``noise_folder`` is missing or holds no audio, a source file has
        another rate or cannot be read, there are fewer than three speech
        files, or a number is not positive.

    Example
    -------
    >>> tmp = getfixture("tmp_path")
    >>> csv = prepare_noises(tmp / "noise.csv", tmp / "n", n_noises=2)
    >>> len(list((tmp / "n").glob("*.wav")))
    2
    """
    check_positive(
        n_noises=n_noises, duration_s=duration_s, sample_rate=sample_rate
    )
    settings = {"duration_s": duration_s}
    if noise_folder is not None:
        sources = find_audio(noise_folder, "noise_folder")
        made = _list_noises(sources, sample_rate)
    else:
        sources = _check_speech(speech_paths)
        settings["n_noises"] = n_noises
        length = round(duration_s * sample_rate)
        made = _make_noises(
            folder, sources, n_noises, length, sample_rate, seed
        )
    key = sound_key("noises", folder, sources, seed, sample_rate, **settings)

    def describe(path):
        kind = sound_kind(path, noise_folder)
        # Three columns, as SpeechBrain's form has them
        return {"kind": kind, "kind_format": "string", "kind_opts": ""}

    return write_sound_list(csv_path, made, key, describe)


def sound_kind(path, noise_folder):
    """What a sound is, by the two folders it stands in, as MUSAN names them.

    Arguments
    ---------
    path : str
        The sound.
    noise_folder : str or Path, optional
        Folders above it do not count; without one the sound was made here,
        and is a noise.

    Returns
    -------
    str
        ``music``, ``babble`` (of speech, to be summed) or ``noise``, which is
        everything else too.

    Example
    -------
    >>> sound_kind("/musan/speech/us-gov/1.wav", "/musan")
    'babble'
    >>> sound_kind("/speech/demand/1.wav", "/speech/demand")
    'noise'
    """
    if noise_folder is None:
        return "noise"
    top = Path(noise_folder).resolve()
    folders = (top.name, *Path(path).relative_to(top).parts[:-1])[-2:]
    known = [FOLDER_KINDS.get(name.lower()) for name in folders]
    return [*filter(None, ["noise", *known])][-1]


def _check_speech(speech_paths):
    """Sorted absolute paths, none or at least three."""
    if speech_paths is None:
        return []
    paths = sorted({str(Path(path).resolve()) for path in speech_paths})
    if len(paths) < 3:
        raise AudioError(
            f"speech_paths holds {len(paths)} different files, babble needs "
            "3: give more, or None for noises without babble"
        )
    return paths


def _list_noises(paths, rate):
    """Yield the paths, their headers checked."""
    for path in tqdm(paths, desc="noises", disable=None):
        audio_header(path, rate)
        yield path


def _excerpt(rng, path, length, rate):
    """A random stretch of the first channel, looped if the file is short."""
    frames = audio_header(path, rate).frames
    start = rng.integers(max(1, frames - length + 1))
    wav, _ = sf.read(path, frames=length, start=start, always_2d=True)
    return np.resize(wav[:, 0], length)


def _level(wav):
    """At the common RMS, less where the peak would clip."""
    rms = np.sqrt(np.mean(np.square(wav)))
    peak = np.abs(wav).max()
    # the floor keeps silence from becoming amplified rounding
    return wav * min(NOISE_RMS / max(rms, 1e-5), 0.99 / max(peak, 1e-5))


# Generated noises: each takes (rng, length, rate), level is set afterwards


def _make_noises(folder, speech_paths, n_noises, length, rate, seed):
    """Yield the path of each generated noise, the kinds in turn."""
    kinds = dict(_KINDS)
    if speech_paths:

        def babble(rng, length, rate):
            return _babble(rng, length, rate, speech_paths)

        kinds = {"babble": babble, **kinds}
    names = list(kinds)
    for i in tqdm(range(n_noises), desc="noises", disable=None):
        name = names[i % len(names)]
        noise = kinds[name](np.random.default_rng([seed, i]), length, rate)
        path = Path(folder) / f"noise_{i:04d}_{name}.wav"
        yield write_wav(path, _level(noise), rate)


def _babble(rng, length, rate, speech_paths):
    """Three to eight different utterances, equally loud, looped, summed."""
    n_voices = min(rng.integers(3, 9), len(speech_paths))
    chosen = rng.choice(len(speech_paths), size=n_voices, replace=False)
    return sum(
        _level(_excerpt(rng, speech_paths[i], length, rate)) for i in chosen
    )


def _shaped(rng, length, rate, gain):
    """White noise with ``gain(hz)`` on its spectrum, nothing below 20 Hz."""
    hz = np.fft.rfftfreq(length, 1 / rate)
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum *= gain(np.maximum(hz, 20.0)) * (hz >= 20)
    return np.fft.irfft(spectrum, length)


def _coloured(rng, length, rate):
    """White, pink or brown: 0, 3 or 6 dB less an octave."""
    slope = rng.integers(3) / 2
    return _shaped(rng, length, rate, lambda hz: hz**-slope)


def _band(rng, length, rate):
    """Noise one to three octaves wide."""
    low_hz = 100 * (rate / 400) ** rng.random()
    high_hz = low_hz * 2 ** rng.uniform(1, 3)
    return _shaped(
        rng, length, rate, lambda hz: (hz >= low_hz) & (hz <= high_hz)
    )


def _hum(rng, length, rate):
    """A slowly wandering fundamental, its harmonics, a little hiss."""
    base_hz = rng.choice([50.0, 60.0, rng.uniform(70, 250)])
    t = np.arange(length) / rate
    wander = 1 + 0.01 * np.sin(2 * np.pi * rng.uniform(0.1, 0.5) * t)
    phase = 2 * np.pi * base_hz * np.cumsum(wander) / rate
    # 0.48, not 0.5: the wander must not fold over
    n_harmonics = int(min(30, 0.48 * rate / base_hz))
    tilt = rng.uniform(0.5, 1.5)
    hum = _level(_coloured(rng, length, rate)) * 0.1
    for k in range(1, n_harmonics + 1):
        hum += rng.random() / k**tilt * np.sin(k * phase + rng.uniform(0, 6))
    return hum


def _bursts(rng, length, rate):
    """Coloured noise switched between loud and 26 dB less, or pulsing."""
    t = np.arange(length) / rate
    if rng.random() < 0.5:
        rate_hz = rng.uniform(1, 8)
        envelope = 1 + 0.9 * np.sin(2 * np.pi * rate_hz * t)
    else:
        # never silent: AddNoise scales a cut by its own RMS
        lengths = rng.integers(
            rate // 20, rate * 6 // 10, size=20 * length // rate + 2
        )
        ends = np.cumsum(lengths)
        step = np.searchsorted(ends, np.arange(length), side="right") % 2
        ramp = np.hanning(rate // 50)
        envelope = np.convolve(step, ramp / ramp.sum(), "same") + 0.05
    return envelope * _coloured(rng, length, rate)


def _music(rng, length, rate):
    """Three voices of plucked notes on a pentatonic scale."""
    music = np.zeros(length)
    for _ in range(3):
        start = 0
        while start < length:
            n = min(int(rng.uniform(0.15, 0.7) * rate), length - start)
            music[start : start + n] += _note(rng, n, rate)
            start += n
    # the hiss keeps the cuts between two notes from being silent
    return music + 0.01 * rng.standard_normal(length)


def _note(rng, length, rate):
    """One note of eight harmonics with a decay and a soft start."""
    semitone = rng.choice([0, 2, 4, 7, 9]) + 12 * rng.integers(4)
    t = np.arange(length) / rate
    phase = 2 * np.pi * 110 * 2 ** (semitone / 12) * t
    weights = rng.random(8) / np.arange(1, 9)
    tone = sum(w * np.sin(k * phase) for k, w in enumerate(weights, start=1))
    return tone * np.exp(-rng.uniform(1, 6) * t) * np.minimum(1, t / 0.005)


_KINDS = {
    "coloured": _coloured,
    "bursts": _bursts,
    "music": _music,
    "hum": _hum,
    "band": _band,
}
