"""Where in a recording somebody speaks.

 * Silero VAD, https://github.com/snakers4/silero-vad, whose weights come in
   its wheel: nothing is downloaded
 * read window by window, so memory does not grow with the recording
 * importing it sets torch to one thread, process-wide; that is undone here

Shape letters: S samples.

Authors
 * The speechbrain_moe developers 2026
"""

from typing import NamedTuple

import soundfile
import torch
import torch.nn.functional as F
from speechbrain.dataio.preprocess import AudioNormalizer
from tqdm import tqdm

from speechbrain_moe.errors import MissingPackageError
from speechbrain_moe.inference.recordings import checked_path, read_windows

RATE_HZ = 16000
FRAME = 512  # samples, what the model takes at this rate


class Region(NamedTuple):
    """A stretch of speech, by one speaker or several.

    Arguments
    ---------
    start_s, end_s : float
        In seconds from the start of the recording.

    Example
    -------
    >>> Region(0.5, 2.0).end_s
    2.0
    """

    start_s: float
    end_s: float


def find_speech(path):
    """Find the stretches of a recording in which somebody speaks.

    Arguments
    ---------
    path : str or Path
        A recording of any rate from 8 kHz and any length.

    Returns
    -------
    list of Region
        In order of time, apart from each other; empty if nobody speaks.

    Raises
    ------
    MissingPackageError
        If silero-vad or onnxruntime is not installed.
    AudioError
        If the file cannot be used; the message names it.

    Example
    -------
    >>> find_speech("nowhere.wav")
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.AudioError: nowhere.wav: no such file; correct the
    path
    """
    checked_path(path)  # before what takes seconds to load
    vad, regions_of = load_vad()
    probabilities, n_samples = [], 0
    for frame in frames_of(path):
        n_samples += len(frame)
        frame = F.pad(frame, (0, FRAME - len(frame)))
        probabilities.append(vad(frame, RATE_HZ).item())
    found = regions_of(
        probabilities,
        sampling_rate=RATE_HZ,
        audio_length_samples=n_samples,
    )
    # resampled windows are rounded up, and together longer than the file
    end_s = soundfile.info(path).duration
    return [
        Region(r["start"] / RATE_HZ, min(r["end"] / RATE_HZ, end_s))
        for r in found
    ]


def frames_of(path):
    """Yield a recording in frames of 512 samples, the last one shorter."""
    rest = torch.zeros(0)
    windows = read_windows(path, AudioNormalizer(RATE_HZ))
    for wav in tqdm(windows, "speech", disable=None, delay=2):
        held = torch.cat([rest, wav])
        n_whole = len(held) // FRAME
        yield from held[: n_whole * FRAME].view(n_whole, FRAME)
        rest = held[n_whole * FRAME :]
    if len(rest):
        yield rest


def load_vad():
    """A fresh Silero model, and what makes regions of its probabilities.

    Returns
    -------
    vad : callable
        Gives the probability of speech in the next 512 samples.
    regions_of : callable
        Silero's own ``get_speech_timestamps_from_probs``.

    Raises
    ------
    MissingPackageError
        The message has the pip line.
    """
    n_threads = torch.get_num_threads()
    try:
        import onnxruntime  # noqa: F401
        from silero_vad import (
            get_speech_timestamps_from_probs,
            load_silero_vad,
        )
    except ImportError as error:
        raise MissingPackageError(
            f"to tell who spoke when needs {error.name}: "
            'pip install "speechbrain-moe[diarize]"'
        ) from error
    finally:
        torch.set_num_threads(n_threads)
    return load_silero_vad(onnx=True), get_speech_timestamps_from_probs
