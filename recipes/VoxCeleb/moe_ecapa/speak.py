"""One sentence in one voice, and how it sounds in a room.

 * Speech is eSpeak NG's, from the wheel espeakng-loader and through ctypes:
   no program to install, nothing downloaded beyond that wheel.
 * eSpeak seeds its random numbers by the clock and keeps a state between
   sentences: with the seed set, fresh processes with the same calls agree.
 * An unknown variant is no error to eSpeak, which then says it in the plain
   voice: take names from `voice_plan.list_variants` only.
 * Signals are float64 at SAMPLE_RATE, and filtering is numpy's FFT alone,
   since a process per voice cannot wait a second for scipy.

Authors
 * The speechbrain_moe developers 2026
"""

import ctypes

import numpy as np

SAMPLE_RATE = 16000
MIN_DURATION_S, MAX_DURATION_S = 2.0, 4.0
# What murmurs behind some utterances; these four are nobody's voice.
BABBLERS = ("f1", "f4", "m1", "m7")
# Decibels per octave; babble is speech already.
NOISES = {"white": 0.0, "pink": -3.01, "brown": -6.02, "babble": None}
# f0 that eSpeak's pitch parameter gives, relative to its default of 50.
PITCH_STEPS = (0, 20, 30, 40, 50, 60, 70, 80, 99)
PITCH_RATIOS = (0.72, 0.79, 0.86, 0.91, 1.0, 1.09, 1.2, 1.31, 1.61)


def espeak_loader():
    """Import the wheel that holds eSpeak NG.

    Returns
    -------
    module
        espeakng_loader, with get_library_path() and get_data_path().

    Raises
    ------
    ImportError
        If it is missing; the message holds the pip line.
    """
    try:
        import espeakng_loader
    except ImportError as error:
        raise _missing("espeakng_loader") from error
    return espeakng_loader


class Speaker:
    """eSpeak NG in this process: call it with a text and a voice.

    Example
    -------
    >>> Speaker()("good morning", "en-us+m3").ndim
    1
    """

    def __init__(self):
        loader = espeak_loader()
        self.lib = ctypes.CDLL(str(loader.get_library_path()))
        data = str(loader.get_data_path()).encode()
        # 2: hand the samples over, play nothing; 0x8000: never exit().
        self.rate_hz = self.lib.espeak_Initialize(2, 0, data, 0x8000)
        samples = ctypes.POINTER(ctypes.c_short)
        kind = ctypes.CFUNCTYPE(
            ctypes.c_int, samples, ctypes.c_int, ctypes.c_void_p
        )
        self.pieces = []
        self.callback = kind(self._keep)  # eSpeak holds no reference to it
        self.lib.espeak_SetSynthCallback(self.callback)

    def __call__(self, text, voice, rate_wpm=165, pitch=50, pitch_range=50):
        """Say the text, without the silence around it.

        Arguments
        ---------
        text : str
        voice : str
            "accent+variant", for instance "en-us+m3".
        rate_wpm : float
            Words per minute, 80 to 450.
        pitch, pitch_range : float
            eSpeak's own scales, 0 to 99; PITCH_RATIOS says what they do.

        Returns
        -------
        numpy.ndarray
            [samples] at `rate_hz`, within -1..1.

        Raises
        ------
        RuntimeError
            If eSpeak does not know the accent.
        """
        self.pieces.clear()
        self.lib.espeak_ng_SetRandSeed(ctypes.c_long(1))  # not the clock
        if self.lib.espeak_SetVoiceByName(voice.encode()) != 0:
            raise RuntimeError(f"eSpeak NG does not know the voice {voice!r}")
        # Volume 40: at the default of 100 a third of the variants clip.
        for number, value in enumerate((rate_wpm, 40, pitch, pitch_range), 1):
            self.lib.espeak_SetParameter(number, round(float(value)), 0)
        text = text.encode()
        self.lib.espeak_Synth(text, len(text) + 1, 0, 1, 0, 1, None, None)
        self.lib.espeak_Synchronize()
        wav = np.concatenate(self.pieces)
        loud = np.flatnonzero(np.abs(wav) > 0.01 * np.abs(wav).max())
        return wav[loud[0] : loud[-1] + 1]

    def _keep(self, samples, n_samples, _):
        """Take the samples over, since eSpeak writes over its buffer."""
        if samples and n_samples > 0:
            piece = np.ctypeslib.as_array(samples, (n_samples,))
            self.pieces.append(piece / 32768)
        return 0


def say(speaker, text, voice, utterance, rng):
    """One clean sentence, mostly of 2.1-3.7 s.

    Arguments
    ---------
    speaker : Speaker
    text : str
    voice : dict
        accent, variant, natural_hz, f0_hz, pitch_range, rate_wpm,
        formant_scale (1 leaves them), tilt_db per octave, breath_db.
    utterance : dict
        pitch_ratio and rate_ratio, relative to the voice's own.
    rng : numpy.random.Generator
        Draws the breath.

    Returns
    -------
    numpy.ndarray
        [samples] at SAMPLE_RATE.
    """
    scale = voice["formant_scale"]
    # Formants move by playing `scale` times as fast, so pitch and rate are
    # asked for that much lower.
    ratio = voice["f0_hz"] * utterance["pitch_ratio"] / scale
    ratio /= voice["natural_hz"]
    pitch = np.interp(np.log(ratio), np.log(PITCH_RATIOS), PITCH_STEPS)
    rate_wpm = voice["rate_wpm"] * utterance["rate_ratio"] / scale
    name = f"{voice['accent']}+{voice['variant']}"
    for _ in range(3):
        wav = speaker(text, name, rate_wpm, pitch, voice["pitch_range"])
        duration_s = len(wav) / speaker.rate_hz / scale
        if MIN_DURATION_S + 0.1 <= duration_s <= MAX_DURATION_S - 0.3:
            break
        rate_wpm = np.clip(rate_wpm * duration_s / 2.9, 90, 400)
    wav = _resample(wav, SAMPLE_RATE / speaker.rate_hz / scale)
    return _add_breath(_tilt(wav, voice["tilt_db"]), voice["breath_db"], rng)


def make_babble(speaker, text):
    """Six seconds of four people at once.

    Arguments
    ---------
    speaker : Speaker
    text : str
        What each of them says, over and over.

    Returns
    -------
    numpy.ndarray
        [samples] at SAMPLE_RATE.
    """
    babble = np.zeros(6 * SAMPLE_RATE)
    for name in BABBLERS:
        wav = speaker(text, f"en-us+{name}")
        wav = _resample(wav, SAMPLE_RATE / speaker.rate_hz)
        babble += np.resize(wav / _rms(wav), len(babble))
    return babble


def make_rooms(n_rooms, rng):
    """Impulse responses of shoebox rooms, each with its own microphone.

    Arguments
    ---------
    n_rooms : int
    rng : numpy.random.Generator
        Draws size, damping, places, and the tilt of the microphone.

    Returns
    -------
    list of numpy.ndarray
        [6400] each, beginning shortly before the loudest sound.

    Raises
    ------
    ImportError
        If pyroomacoustics is missing; the message holds the pip line.
    """
    try:
        import pyroomacoustics
    except ImportError as error:
        raise _missing("pyroomacoustics") from error
    rooms = []
    for _ in range(n_rooms):
        size_m = rng.uniform((3, 3, 2.4), (8, 6, 3.2))
        room = pyroomacoustics.ShoeBox(
            size_m,
            fs=SAMPLE_RATE,
            materials=pyroomacoustics.Material(rng.uniform(0.25, 0.7)),
            max_order=8,
        )
        room.add_source(size_m * rng.uniform(0.2, 0.45, 3))
        room.add_microphone(size_m * rng.uniform(0.5, 0.8, 3))
        room.compute_rir()
        heard = np.asarray(room.rir[0][0], dtype=np.float64)
        start = max(0, int(np.abs(heard).argmax()) - 40)
        heard = np.pad(heard, (0, 8000))[start : start + 6400]
        rooms.append(_tilt(heard, rng.uniform(-1.5, 1.5)))
    return rooms


def record(wav, utterance, room, babble, rng):
    """The sentence as it sounds in its room, in noise, at its level.

    Arguments
    ---------
    wav : numpy.ndarray
        [samples] at SAMPLE_RATE.
    utterance : dict
        noise (a key of NOISES), snr_db, level_db (RMS, full scale is 0).
    room, babble : numpy.ndarray
        Of `make_rooms` and `make_babble`.
    rng : numpy.random.Generator
        Draws the noise.

    Returns
    -------
    numpy.ndarray
        [samples], int16, never clipped, at most MAX_DURATION_S long.
    """
    longest = int(MAX_DURATION_S * SAMPLE_RATE)
    wav = np.pad(wav, SAMPLE_RATE // 10)[:longest]
    n_fft = _fast_length(len(wav) + len(room))
    heard = np.fft.rfft(wav, n_fft) * np.fft.rfft(room, n_fft)
    wav = np.fft.irfft(heard, n_fft)[: len(wav)]
    noise = _draw_noise(utterance["noise"], len(wav), babble, rng)
    wav = wav / _rms(wav) + 10 ** (-utterance["snr_db"] / 20) * noise
    wav *= 10 ** (utterance["level_db"] / 20) / _rms(wav)
    wav *= min(1.0, 0.9 / np.abs(wav).max())
    return np.round(wav * 32767).astype(np.int16)


def _add_breath(wav, breath_db, rng):
    """Add noise that follows the voice's loudness and lies in the treble."""
    envelope = np.convolve(np.abs(wav), np.hanning(320) / 160, "same")
    breath = np.diff(rng.standard_normal(len(wav) + 1))
    return wav + 10 ** (breath_db / 20) * envelope * breath


def _draw_noise(kind, n_samples, babble, rng):
    """Noise of that kind with an RMS of 1."""
    if NOISES[kind] is None:
        start = rng.integers(len(babble) - n_samples)
        noise = babble[start : start + n_samples]
    else:
        noise = _tilt(rng.standard_normal(n_samples), NOISES[kind])
    return noise / _rms(noise)


def _fast_length(n_samples):
    """The next length whose FFT is quick; a prime one takes ten times that."""
    return n_samples + -n_samples % 1024


def _resample(wav, ratio):
    """Wav on `ratio` times as many points, the ratio kept to 0.1 %."""
    n_in = _fast_length(len(wav))
    n_out = 64 * round(n_in * ratio / 64)
    spectrum = np.fft.rfft(wav, n_in)[: n_out // 2 + 1]
    longer = np.fft.irfft(spectrum, n_out) * (n_out / n_in)
    return longer[: round(len(wav) * ratio)]


def _tilt(wav, db_per_octave):
    """Slope the spectrum around 1 kHz, flat below 100 Hz."""
    n_fft = _fast_length(len(wav))
    freqs_hz = np.maximum(np.fft.rfftfreq(n_fft, 1 / SAMPLE_RATE), 100)
    gain = 10 ** (db_per_octave * np.log2(freqs_hz / 1000) / 20)
    return np.fft.irfft(np.fft.rfft(wav, n_fft) * gain, n_fft)[: len(wav)]


def _rms(wav):
    """Root mean square, never zero."""
    return np.sqrt(np.mean(wav**2)) + 1e-9


def _missing(module):
    """Say what to install."""
    return ImportError(
        f'Synthetic voices need {module}: pip install "speechbrain-moe[demo]"'
    )
