"""Room responses for training, made on this machine without a download.

 * ends in wavs and a csv that SpeechBrain's own ``AddReverb`` reads; nothing
   of it is rewritten
 * a folder of real recordings (RIRS_NOISES) replaces the simulated ones
 * seeded per file, one thread: two runs write the same bytes
 * rooms come from the image-source method alone; ray tracing is random

Authors
 * The speechbrain_moe developers 2026
"""

import logging
import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile as sf
from tqdm import tqdm

from speechbrain_moe.errors import AudioError, MissingPackageError
from speechbrain_moe.training.sound_list import (
    audio_header,
    check_positive,
    find_audio,
    sound_key,
    write_sound_list,
    write_wav,
)

ROOM_MIN_M = np.array([3.0, 2.5, 2.4])
ROOM_MAX_M = np.array([12.0, 9.0, 4.0])
RT60_S = (0.15, 0.8)
LONGEST_ROOM_S = 0.6
LEAD_S = 0.001  # kept before the direct sound
MAX_ORDER = 60  # images grow with its cube: 0.1 s a room, 2 s at 120

logger = logging.getLogger(__name__)


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
        several channels the first is copied into ``folder``. The noises of
        RIRS_NOISES, which are no responses, are left out.
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
        If ``rir_folder`` is missing or holds no audio, a source file has
        another rate or cannot be read, or a number is not positive.
    MissingPackageError
        If rooms are to be simulated and pyroomacoustics is not installed.

    Example
    -------
    >>> import torch
    >>> tmp = getfixture("tmp_path")
    >>> csv = prepare_rooms(tmp / "room.csv", tmp / "rooms", n_rooms=1)
    >>> from speechbrain.augment.time_domain import AddReverb
    >>> AddReverb(csv)(torch.randn(2, 16000)).shape
    torch.Size([2, 16000])
    """
    check_positive(n_rooms=n_rooms, sample_rate=sample_rate)
    sources, settings = [], {}
    if rir_folder is not None:
        found = find_audio(rir_folder, "rir_folder")
        sources = [path for path in found if not _is_noise(path)]
        if len(sources) < len(found):
            n_noises = len(found) - len(sources)
            logger.info("%s: %d noises left out", rir_folder, n_noises)
        if not sources:
            raise AudioError(
                f"rir_folder={rir_folder} holds noises alone, such as "
                f"{found[0]}: give the folder of the responses"
            )
        made = _list_rooms(sources, folder, sample_rate)
    else:
        settings["n_rooms"] = n_rooms
        made = _make_rooms(folder, n_rooms, sample_rate, seed)
    key = sound_key("rooms", folder, sources, seed, sample_rate, **settings)
    return write_sound_list(csv_path, made, key)


def _is_noise(path):
    """Whether a file of RIRS_NOISES is a noise, by its name there."""
    path = Path(path)
    among_noises = path.parent.name == "pointsource_noises"
    return among_noises or bool(re.search(r"type\d+_noise_", path.stem))


def _list_rooms(paths, folder, rate):
    """Yield mono files as they are, of others a copy of channel one."""
    for i, path in enumerate(tqdm(paths, desc="rooms", disable=None)):
        if audio_header(path, rate).channels == 1:
            yield path
            continue
        wav, _ = sf.read(path, always_2d=True)
        out = Path(folder) / f"mono_{i:05d}.wav"
        yield write_wav(out, wav[:, 0], rate)


def _make_rooms(folder, n_rooms, rate, seed):
    """Yield the path of each simulated response."""
    pra = _pyroomacoustics()
    with _fixed_constants(pra):
        for i in tqdm(range(n_rooms), desc="rooms", disable=None):
            rir = _room_response(pra, np.random.default_rng([seed, i]), rate)
            yield write_wav(Path(folder) / f"room_{i:04d}.wav", rir, rate)


def _pyroomacoustics():
    """The optional package, or an error that says how to get it."""
    try:
        import pyroomacoustics
    except ImportError as error:
        raise MissingPackageError(
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
