"""A csv of sounds that are mixed into speech, or that speech is heard in.

 * nothing is made again while the key beside the csv still fits; the key is
   written last: an interrupted run starts over
 * 16-bit wavs, so two runs write the same bytes (float wavs would not,
   libsndfile puts the time of writing into them)
 * audio that stands in a folder is listed in place, its headers checked

Authors
 * The speechbrain_moe developers 2026
"""

import hashlib
import json
import os
from pathlib import Path

import pandas as pd
import soundfile as sf
from speechbrain.utils.logger import get_logger

from speechbrain_moe.errors import AudioError
from speechbrain_moe.files import walk_folder, write_whole

logger = get_logger(__name__)

# AddNoise looks at wav_format only to choose its reader and does not know
# "opus", which is an Ogg file to it
FORMATS = {".wav": "wav", ".flac": "flac", ".ogg": "ogg", ".opus": "ogg"}
_VERSION = 2  # in the key: raise it when the sounds change


def check_positive(**numbers):
    """Refuse zero and less, by name.

    Arguments
    ---------
    **numbers : float
        Arguments as the caller calls them.

    Raises
    ------
    AudioError
        If one is not above 0.

    Example
    -------
    >>> check_positive(n_rooms=60, sample_rate=16000)
    """
    for name, value in numbers.items():
        if value <= 0:
            raise AudioError(f"{name}={value}: give a number above 0")


def find_audio(folder, argument):
    """Sorted paths of the audio below a folder.

    Arguments
    ---------
    folder : str or Path
        Searched recursively for wav, flac, ogg and opus, links included;
        not for hidden files, which a killed write may have left.
    argument : str
        What the caller calls the folder, for the message.

    Returns
    -------
    list of str
        Absolute paths, one or more.

    Raises
    ------
    AudioError
        If the folder is missing or holds no audio.

    Example
    -------
    >>> tmp = getfixture("tmp_path")
    >>> wav = write_wav(tmp / "a.wav", [0.0, 0.5], rate=16000)
    >>> find_audio(tmp, "noise_folder") == [wav]
    True
    """
    if not Path(folder).is_dir():
        raise AudioError(
            f"{argument}={folder} is not a folder: give one that holds "
            "audio, or null"
        )
    found = (
        os.path.join(root, name)
        for root, names in walk_folder(Path(folder).resolve())
        for name in names
        if Path(name).suffix.lower() in FORMATS and not name.startswith(".")
    )
    paths = sorted(found)
    if not paths:
        raise AudioError(
            f"{argument}={folder} holds no audio ({', '.join(FORMATS)}): "
            "unpack it there, or give null"
        )
    return paths


def audio_header(path, rate):
    """The header of an audio file of this rate that is not empty.

    Arguments
    ---------
    path : str or Path
        Audio file.
    rate : int
        In Hz; what the file must have.

    Returns
    -------
    soundfile._SoundFileInfo
        With frames, channels, samplerate and duration in s.

    Raises
    ------
    AudioError
        If the file cannot be read, has another rate or is empty.

    Example
    -------
    >>> wav = write_wav(getfixture("tmp_path") / "a.wav", [0.0], rate=16000)
    >>> audio_header(wav, rate=16000).frames
    1
    """
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


def write_wav(path, wav, rate):
    """Write a 16-bit wav, aside and renamed.

    Arguments
    ---------
    path : Path
        File to write; its folder is made.
    wav : array_like
        One channel, in [-1, 1], [samples].
    rate : int
        In Hz.

    Returns
    -------
    str
        Its absolute path.

    Example
    -------
    >>> write_wav(getfixture("tmp_path") / "a.wav", [0.0], 16000)
    '/.../a.wav'
    """
    path = path.resolve()
    write_whole(
        path,
        lambda aside: sf.write(
            aside, wav, rate, subtype="PCM_16", format="WAV"
        ),
    )
    return str(path)


def sound_key(kind, folder, sources, seed, sample_rate, **more):
    """All that the files depend on; sources by the hash of their names.

    Arguments
    ---------
    kind : str
        "noises" or "rooms".
    folder : str or Path
        Where made wavs go.
    sources : list of str
        Files they are made from.
    seed, sample_rate : int
        As given by the caller.
    **more : int or float
        What else the files depend on.

    Returns
    -------
    dict
        Ready for json.

    Example
    -------
    >>> sound_key("rooms", "/tmp/r", [], 1, 16000, n_rooms=2)["n_rooms"]
    2
    """
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


def write_sound_list(csv_path, paths, key, describe=None):
    """Write the csv of these files, unless it stands there with this key.

    Arguments
    ---------
    csv_path : str or Path
        The csv to write; the key goes beside it as ``.json``.
    paths : iterable of str
        Absolute paths. A generator that makes the files on the way is not
        begun when the csv is current.
    key : dict
        What the files depend on, see ``sound_key``.
    describe : callable, optional
        Further columns of a path, as a dict.

    Returns
    -------
    str
        ``csv_path``.

    Raises
    ------
    AudioError
        If a path holds a ``$``, which SpeechBrain takes for a variable.

    Example
    -------
    >>> tmp = getfixture("tmp_path")
    >>> wav = write_wav(tmp / "a.wav", [0.0, 0.5], rate=16000)
    >>> csv = write_sound_list(tmp / "list.csv", [wav], {"seed": 1})
    >>> write_sound_list(csv, (1 / 0 for _ in "x"), {"seed": 1}) == csv
    True
    """
    csv_path = Path(csv_path)
    if _is_current(csv_path, key):
        return str(csv_path)
    # the old key goes first, the new one last: it declares the files whole
    key_path = csv_path.with_suffix(".json")
    key_path.unlink(missing_ok=True)
    rows = [_row(i, path) for i, path in enumerate(paths)]
    if describe is not None:
        rows = [{**row, **describe(row["wav"])} for row in rows]
    csv_path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(csv_path, pd.DataFrame(rows).to_csv(index=False))
    write_whole(key_path, _as_text(key))
    logger.info("%s: %d files", csv_path, len(rows))
    return str(csv_path)


def _is_current(csv_path, key):
    """Whether the csv was made with this key and all its files are there."""
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
