"""Noises and rooms for training, made on this machine without a download.

 * both functions end in wavs and a csv that SpeechBrain's own ``AddNoise``
   and ``AddReverb`` read; nothing of theirs is rewritten
 * a folder of real recordings (MUSAN, RIRS_NOISES) replaces the simulation
 * seeded per file, one thread, 16-bit: two runs write the same bytes (float
   wavs would not, libsndfile puts the time of writing into them)
 * rooms come from the image-source method alone; ray tracing is random
 * the key beside the csv is written last: an interrupted run starts over

Authors
 * The speechbrain_moe developers 2026
"""

import hashlib
import json
import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile as sf
from speechbrain.utils.logger import get_logger
from tqdm import tqdm

from speechbrain_moe.errors import AudioError

logger = get_logger(__name__)

# AddNoise looks at wav_format only to choose its reader and does not know
# "opus", which is an Ogg file to it
FORMATS = {".wav": "wav", ".flac": "flac", ".ogg": "ogg", ".opus": "ogg"}
NOISE_RMS = 0.05  # -26 dBFS: room for the peaks of bursts
LONGEST_NOISE_S = 30.0  # AddNoise pads a batch to its longest file
EXCERPT_EVERY_S = 60.0
ROOM_MIN_M = np.array([3.0, 2.5, 2.4])
ROOM_MAX_M = np.array([12.0, 9.0, 4.0])
RT60_S = (0.15, 0.8)
LONGEST_ROOM_S = 0.6
LEAD_S = 0.001  # kept before the direct sound
MAX_ORDER = 60  # images grow with its cube: 0.1 s a room, 2 s at 120
_VERSION = 1  # in the key: raise it when the sounds change


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
    """Write the csv of noises that ``AddNoise(csv_file=...)`` reads.

    With ``noise_folder`` its files are listed by their headers; those over
    30 s or of several channels are replaced by mono excerpts in ``folder``,
    one for each minute, because AddNoise reads whole files and pads a batch
    to the longest. Without it, noises are generated: babble (if there is
    speech), coloured, bursts, tones like music, hum, band noise, in turn.
    Call it from one process (``run_on_main``), with one folder per csv.

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
        How many to generate; not used with ``noise_folder``. Best a multiple
        of the training batch: AddNoise goes round in one fixed order, and of
        120 at batch 48 uses 96 after the first pass.
    duration_s : float
        Length of each generated noise or excerpt. Keep it above the longest
        training chunk, or the rest of the chunk stays clean.
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
        If ``noise_folder`` is missing or holds no audio.
    AudioError
        If a source file has another rate or cannot be read, there are fewer
        than three speech files, or a number is not positive.

    Example
    -------
    >>> import torch
    >>> tmp = getfixture("tmp_path")
    >>> csv = prepare_noises(tmp / "noise.csv", tmp / "n", n_noises=6)
    >>> from speechbrain.augment.time_domain import AddNoise
    >>> add_noise = AddNoise(csv, snr_low=0, snr_high=15)
    >>> add_noise(torch.randn(2, 8000), torch.ones(2)).shape
    torch.Size([2, 8000])
    """
    _check_positive(
        n_noises=n_noises, duration_s=duration_s, sample_rate=sample_rate
    )
    if noise_folder is not None:
        sources = _find_audio(noise_folder, "noise_folder")
    else:
        sources = _check_speech(speech_paths)
    key = _key(
        "noises", folder, sources, seed, sample_rate, duration_s=duration_s
    )
    if noise_folder is None:
        key["n_noises"] = n_noises
    if _is_current(csv_path, key):
        return str(csv_path)
    if noise_folder is not None:
        made = _list_noises(sources, folder, duration_s, sample_rate, seed)
    else:
        length = round(duration_s * sample_rate)
        made = _make_noises(
            folder, sources, n_noises, length, sample_rate, seed
        )
    return _write_csv(csv_path, made, key)


def prepare_rooms(
    csv_path,
    folder,
    rir_folder=None,
    n_rooms=60,
    sample_rate=16000,
    seed=1234,
):
    """Write the csv of room responses that ``AddReverb(csv_file=...)`` reads.

    Without ``rir_folder``, shoebox rooms of 3 x 2.5 x 2.4 to 12 x 9 x 4 m are
    simulated by image sources (Allen and Berkley, Image method for
    efficiently simulating small-room acoustics, 1979) with pyroomacoustics,
    their decay then brought to an RT60 drawn from 0.15 to 0.8 s. Each starts
    1 ms before the direct sound, has its peak at 1, and ends at -60 dB or
    after 0.6 s. Call it from one process, with one folder per csv.

    Arguments
    ---------
    csv_path : str or Path
        The csv to write; its key goes beside it as ``.json``.
    folder : str or Path
        Where generated wavs go.
    rir_folder : str or Path, optional
        Real responses, searched recursively for wav, flac, ogg and opus. Of
        several channels the first is copied into ``folder``.
    n_rooms : int
        How many to simulate; not used with ``rir_folder``.
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
        If ``rir_folder`` is missing or holds no audio.
    ImportError
        If rooms are to be simulated and pyroomacoustics is not installed.
    AudioError
        If a source file has another rate or cannot be read, or a number is
        not positive.

    Example
    -------
    >>> import torch
    >>> tmp = getfixture("tmp_path")
    >>> csv = prepare_rooms(tmp / "room.csv", tmp / "rooms", n_rooms=1)
    >>> from speechbrain.augment.time_domain import AddReverb
    >>> AddReverb(csv)(torch.randn(2, 16000)).shape
    torch.Size([2, 16000])
    """
    _check_positive(n_rooms=n_rooms, sample_rate=sample_rate)
    sources = []
    if rir_folder is not None:
        sources = _find_audio(rir_folder, "rir_folder")
    key = _key("rooms", folder, sources, seed, sample_rate)
    if rir_folder is None:
        key["n_rooms"] = n_rooms
    if _is_current(csv_path, key):
        return str(csv_path)
    if rir_folder is not None:
        made = _list_rooms(sources, folder, sample_rate)
    else:
        made = _make_rooms(folder, n_rooms, sample_rate, seed)
    return _write_csv(csv_path, made, key)


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
        yield _write_wav(path, _level(noise), rate)


def _babble(rng, length, rate, speech_paths):
    """Three to eight different utterances, equally loud, looped, summed."""
    n_voices = min(rng.integers(3, 9), len(speech_paths))
    chosen = rng.choice(len(speech_paths), size=n_voices, replace=False)
    return sum(
        _level(_excerpt(rng, speech_paths[i], length, rate)) for i in chosen
    )


def _excerpt(rng, path, length, rate):
    """A random stretch of the first channel, looped if the file is short."""
    frames = _header(path, rate).frames
    start = rng.integers(max(1, frames - length + 1))
    wav, _ = sf.read(path, frames=length, start=start, always_2d=True)
    return np.resize(wav[:, 0], length)


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


# Simulated rooms


def _make_rooms(folder, n_rooms, rate, seed):
    """Yield the path of each simulated response."""
    pra = _pyroomacoustics()
    with _fixed_constants(pra):
        for i in tqdm(range(n_rooms), desc="rooms", disable=None):
            rir = _room_response(pra, np.random.default_rng([seed, i]), rate)
            yield _write_wav(Path(folder) / f"room_{i:04d}.wav", rir, rate)


def _pyroomacoustics():
    """The optional package, or an error that says how to get it."""
    try:
        import pyroomacoustics
    except ImportError as error:
        raise ImportError(
            "simulated rooms need pyroomacoustics: "
            'pip install "speechbrain-moe[train]", '
            "or give rir_folder, a folder of recorded responses"
        ) from error
    return pyroomacoustics


@contextmanager
def _fixed_constants(pra):
    """Same bytes on any machine: one thread, no zero-phase high-pass.

    The high-pass of pyroomacoustics runs backwards too, and puts a slow wave
    of up to -23 dB before the direct sound.
    """
    wanted = {"num_threads": 1, "rir_hpf_enable": False}
    before = {name: pra.constants.get(name) for name in wanted}
    for name, value in wanted.items():
        pra.constants.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            pra.constants.set(name, value)


def _room_response(pra, rng, rate):
    """One response of a random room, aligned, trimmed, peak 1."""
    size = ROOM_MIN_M * (ROOM_MAX_M / ROOM_MIN_M) ** rng.random(3)
    rt60_s = rng.uniform(*RT60_S)
    source, microphone = _positions(rng, size)
    room = pra.ShoeBox(
        size,
        fs=rate,
        materials=pra.Material(_absorption(size, rt60_s)),
        max_order=_image_order(pra, size, rt60_s),
    )
    room.add_source(source)
    room.add_microphone(microphone)
    room.compute_rir()
    direct_s = np.linalg.norm(source - microphone) / pra.constants.get("c")
    delay = pra.constants.get("frac_delay_length") // 2
    start = round((direct_s - LEAD_S) * rate) + delay
    rir = room.rir[0][0][max(0, start) :]
    return _trim(_reach_rt60(pra, _zero_mean(rir, rate), rt60_s, rate), rate)


def _positions(rng, size):
    """Source and microphone, 0.3 m or more from walls and each other."""
    while True:
        source, microphone = rng.uniform(0.3, size - 0.3, size=(2, 3))
        if np.linalg.norm(source - microphone) >= 0.3:
            return source, microphone


def _absorption(size, rt60_s):
    """Energy absorption of the walls for this RT60, by Eyring's formula."""
    x, y, z = size
    surface = 2 * (x * y + x * z + y * z)
    return 1 - np.exp(-0.161 * x * y * z / (surface * rt60_s))


def _image_order(pra, size, rt60_s):
    """Reflections that fill the kept part of the response, at most 60."""
    x, y, z = size
    reach = min(x * y / np.hypot(x, y), x * z / np.hypot(x, z))
    reach = min(reach, y * z / np.hypot(y, z))
    path_m = pra.constants.get("c") * min(rt60_s, LONGEST_ROOM_S)
    return min(MAX_ORDER, int(np.ceil(path_m / reach)))


def _zero_mean(rir, rate):
    """Without the slow offset that all-positive images add up to."""
    from scipy.signal import butter, sosfilt

    return sosfilt(butter(2, 40, "highpass", fs=rate, output="sos"), rir)


def _reach_rt60(pra, rir, rt60_s, rate):
    """Steeper decay where the box rings longer than Eyring's formula says."""
    measured_s = pra.experimental.measure_rt60(rir, rate, decay_db=20)
    extra = max(0.0, 1 / rt60_s - 1 / measured_s)
    return rir * 10 ** (-3 * extra * np.arange(len(rir)) / rate)


def _trim(rir, rate):
    """Peak 1, ends at the last sample above -60 dB or after 0.6 s."""
    rir = rir[: round(LONGEST_ROOM_S * rate)] / np.abs(rir).max()
    return rir[: np.flatnonzero(np.abs(rir) >= 1e-3)[-1] + 1]


# Real recordings


def _find_audio(folder, argument):
    """Sorted paths of the audio below a folder."""
    if not Path(folder).is_dir():
        raise AudioError(
            f"{argument}={folder} is not a folder: give one that holds "
            "audio, or None to simulate"
        )
    found = (
        os.path.join(root, name)
        for root, _, names in os.walk(Path(folder).resolve(), followlinks=True)
        for name in names
        if Path(name).suffix.lower() in FORMATS
    )
    paths = sorted(found)
    if not paths:
        raise AudioError(
            f"{argument}={folder} holds no audio ({', '.join(FORMATS)}): "
            "unpack it there, or give None to simulate"
        )
    return paths


def _list_noises(paths, folder, duration_s, rate, seed):
    """Yield short mono files as they are, of others excerpts."""
    length = round(duration_s * rate)
    for i, path in enumerate(tqdm(paths, desc="noises", disable=None)):
        header = _header(path, rate)
        if header.channels == 1 and header.duration <= LONGEST_NOISE_S:
            yield path
            continue
        rng = np.random.default_rng([seed, i])
        n = min(length, header.frames)
        for j in range(1 + int(header.duration / EXCERPT_EVERY_S)):
            wav = _excerpt(rng, path, n, rate)
            out = Path(folder) / f"excerpt_{i:05d}_{j:02d}.wav"
            yield _write_wav(out, wav, rate)


def _list_rooms(paths, folder, rate):
    """Yield mono files as they are, of others a copy of channel one."""
    for i, path in enumerate(tqdm(paths, desc="rooms", disable=None)):
        if _header(path, rate).channels == 1:
            yield path
            continue
        wav, _ = sf.read(path, always_2d=True)
        out = Path(folder) / f"mono_{i:05d}.wav"
        yield _write_wav(out, wav[:, 0], rate)


# What both share


def _check_positive(**numbers):
    """Refuse zero and less, by name."""
    for name, value in numbers.items():
        if value <= 0:
            raise AudioError(f"{name}={value}: give a number above 0")


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


def _header(path, rate):
    """The header of an audio file of this rate that is not empty."""
    try:
        header = sf.info(path)
    except sf.LibsndfileError as error:
        raise AudioError(
            f"{path} cannot be read ({error}): repair it or take it out"
        ) from error
    if header.samplerate != rate:
        raise AudioError(
            f"{path} has {header.samplerate} Hz, {rate} Hz is wanted: "
            "resample the folder first"
        )
    if header.frames == 0:
        raise AudioError(f"{path} is empty: take it out")
    return header


def _level(wav):
    """At the common RMS, less where the peak would clip."""
    rms = np.sqrt(np.mean(np.square(wav)))
    peak = np.abs(wav).max()
    # the floor keeps silence from becoming amplified rounding
    return wav * min(NOISE_RMS / max(rms, 1e-5), 0.99 / max(peak, 1e-5))


def _write_wav(path, wav, rate):
    """16-bit wav, written aside and renamed; returns its absolute path."""
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    sf.write(partial, wav, rate, subtype="PCM_16", format="WAV")
    os.replace(partial, path)
    return str(path)


def _key(kind, folder, sources, seed, sample_rate, **more):
    """All that the files depend on; sources by the hash of their names."""
    digest = hashlib.sha256("\n".join(sources).encode()).hexdigest()
    return {
        "kind": kind,
        "version": _VERSION,
        "folder": str(Path(folder).resolve()),
        "sources": [len(sources), digest],
        "seed": seed,
        "sample_rate": sample_rate,
        **more,
    }


def _is_current(csv_path, key):
    """Whether the csv was made with this key and all its files are there."""
    csv_path = Path(csv_path)
    key_path = csv_path.with_suffix(".json")
    if not (csv_path.is_file() and key_path.is_file()):
        return False
    if key_path.read_text(encoding="utf-8") != _as_text(key):
        logger.info("%s was made otherwise: making it again", csv_path)
        return False
    wavs = pd.read_csv(csv_path, dtype=str, keep_default_na=False)["wav"]
    missing = [wav for wav in wavs if not os.path.isfile(wav)]
    if missing:
        logger.info("%s is missing: making %s again", missing[0], csv_path)
    return not missing


def _as_text(key):
    return json.dumps(key, indent=1, sort_keys=True)


def _write_csv(csv_path, paths, key):
    """Make the files, then the csv, then the key that declares them whole."""
    csv_path = Path(csv_path)
    key_path = csv_path.with_suffix(".json")
    key_path.unlink(missing_ok=True)
    rows = [_row(i, path) for i, path in enumerate(paths)]
    csv_path.parent.mkdir(parents=True, exist_ok=True)
    _write_text(csv_path, pd.DataFrame(rows).to_csv(index=False))
    _write_text(key_path, _as_text(key))
    logger.info("%s: %d files", csv_path, len(rows))
    return str(csv_path)


def _row(i, path):
    """One line in the form of SpeechBrain's extended csv."""
    if "$" in path:
        raise AudioError(
            f"{path}: SpeechBrain takes $ in a csv path for a variable; "
            "use a folder without it"
        )
    return {
        "ID": f"{i:05d}_{Path(path).stem}",
        "duration": round(sf.info(path).duration, 4),
        "wav": path,
        "wav_format": FORMATS[Path(path).suffix.lower()],
        "wav_opts": "",
    }


def _write_text(path, text):
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
