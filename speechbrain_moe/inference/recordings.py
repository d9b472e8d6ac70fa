"""Recordings of any rate, length and channels, read window by window.

 * a file is never in memory whole: windows of at most 30 s, all of one
   length, are read and let go one by one
 * channels are averaged; those that cancel each other are an error, since
   what is left is near silence
 * other sample rates are resampled by SpeechBrain's own AudioNormalizer
 * a file that is shorter than its header says, or ends within a page of Ogg,
   is an error

Authors
 * The speechbrain_moe developers 2026
"""

import math
import os
import re
from pathlib import Path

import numpy as np
import soundfile
import torch

from speechbrain_moe.errors import AudioError, InputError

MAX_WINDOW_S = 30.0
RATES_HZ = (8000, 192000)
MAX_CHANNELS = 16  # a window of 255 at 192 kHz would be 6 GB
MAX_PHASES = 2000  # of a resampling filter; 44.1 to 16 kHz has 160
CANCELLED = 0.01  # power of the mean over mean power: 20 dB
LOUDEST = 1e6  # of a sample in floats: 16-bit numbers kept as such pass
STREAMED = 0x7FFFF000  # sizes from here on mean that the writer had no idea
UNTOLD = 1 << 62  # frames from here on mean the same, in a FLAC from a pipe
# What libsndfile's log says of a cut file, and goes on with what there is
SIZE = re.compile(
    r"(?:RIFF|riff|FORM|Riff size|Data Size) *: (\d+) \(should be (\d+)\)"
)
OGG_PAGE, MAX_PAGE = b"OggS", 65307  # bytes, RFC 3533


def read_windows(path, normalizer):
    """Yield a recording in windows of equal length, at most 30 s.

    Arguments
    ---------
    path : str or Path
        An audio file that soundfile reads, of 8 to 192 kHz.
    normalizer : AudioNormalizer
        Resamples; says the rate wanted.

    Yields
    ------
    torch.Tensor
        Waveform [S], float32, channels averaged, at the wanted rate.

    Raises
    ------
    InputError
        If path is neither text nor a Path.
    AudioError
        If the file is missing, a folder, cannot be decoded, is empty or
        truncated, holds NaN, has too many channels or channels that cancel
        each other, a sample rate out of range or no header that tells rate
        and length; the message names the file.

    Example
    -------
    >>> from speechbrain.dataio.preprocess import AudioNormalizer
    >>> path = getfixture("tmp_path") / "a.wav"
    >>> soundfile.write(path, np.full((8000, 2), 0.1), 8000)
    >>> [len(wav) for wav in read_windows(path, AudioNormalizer(16000))]
    [16000]
    """
    try:
        with soundfile.SoundFile(checked_path(path)) as file:
            check_whole(path, file)
            check_size(path, file)
            check_rate(path, file.samplerate, normalizer.sample_rate)
            for count in window_lengths(file.frames, file.samplerate):
                block = file.read(count, dtype="float32", always_2d=True)
                check_block(path, block, count)
                wav = torch.from_numpy(block).mean(dim=1)
                yield normalizer(wav, file.samplerate)
    except (soundfile.LibsndfileError, OSError) as error:
        raise AudioError(
            f"{path}: cannot be decoded ({error}); remove or replace it"
        ) from error


def checked_path(path):
    """The path of a file that is there and may be read."""
    if not isinstance(path, (str, Path)):
        raise InputError(
            f"{type(path).__name__} given for a file; give its path (sound in "
            "memory goes to encode_batch)"
        )
    if not is_utf8(str(path)):
        raise AudioError(f"{path}: its name is not UTF-8; rename the file")
    if Path(path).is_dir():
        raise AudioError(f"{path}: is a folder; give an audio file")
    if not Path(path).exists():
        raise AudioError(f"{path}: no such file; correct the path")
    if not Path(path).is_file():
        raise AudioError(
            f"{path}: is a device or a pipe; write its sound into a file"
        )
    if not os.access(path, os.R_OK):
        raise AudioError(f"{path}: may not be read; mend its permissions")
    if Path(path).suffix.lower() == ".raw":  # as soundfile takes it
        raise AudioError(
            f"{path}: samples without a header, which tells rate and width; "
            "give a wav or flac"
        )
    return path


def is_utf8(name):
    """Whether a name can be written to lists, and given to libsndfile.

    Example
    -------
    >>> is_utf8(chr(0xE9)), is_utf8(os.fsdecode(b"\\xe9"))
    (True, False)
    """
    return name == name.encode("utf-8", "ignore").decode()


def check_whole(path, file):
    """Refuse a file that was longer once."""
    size = SIZE.search(file.extra_info)
    said, found = map(int, size.groups()) if size else (0, 0)
    # One byte of padding at the end is often left out
    if found + 1 < said < STREAMED:
        raise AudioError(
            f"{path}: is truncated, {found} bytes of {said}; copy or record "
            "it again"
        )
    if file.format == "OGG" and ends_within_page(path):
        raise AudioError(
            f"{path}: is truncated, it ends within a page; copy or record it "
            "again"
        )


def ends_within_page(path):
    """Whether an Ogg file lacks the end of its last page."""
    with open(path, "rb") as file:
        file.seek(-min(MAX_PAGE, os.fstat(file.fileno()).st_size), os.SEEK_END)
        tail = file.read()
    page = tail[max(0, tail.rfind(OGG_PAGE)) :]
    # A header of 27 bytes, the last being the number of sizes that follow
    n_header = 27 + page[26] if len(page) > 26 else 27
    return len(page) < n_header + sum(page[27:n_header])


def check_size(path, file):
    """Refuse a file whose windows would have no bound in memory."""
    if file.channels > MAX_CHANNELS:
        raise AudioError(
            f"{path}: has {file.channels} channels, at most {MAX_CHANNELS} "
            "are read; save one channel alone"
        )
    if file.frames >= UNTOLD:
        raise AudioError(
            f"{path}: its header does not tell how long it is, as of a "
            "stream; convert it to a file again"
        )


def check_rate(path, rate, wanted):
    """Refuse a sample rate that cannot be resampled sensibly."""
    if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
        raise AudioError(
            f"{path}: has {rate} Hz, wanted {RATES_HZ[0]} to {RATES_HZ[1]} Hz"
            "; record it again"
        )
    if max(rate, wanted) // math.gcd(rate, wanted) > MAX_PHASES:
        raise AudioError(
            f"{path}: has {rate} Hz, which no short filter takes to {wanted} "
            "Hz; resample it first"
        )


def window_lengths(n_frames, rate):
    """Lengths of the fewest windows of at most 30 s, alike to one frame.

    Example
    -------
    >>> window_lengths(100, rate=2)
    [50, 50]
    >>> window_lengths(0, rate=16000)
    [0]
    """
    n_windows = max(1, math.ceil(n_frames / (MAX_WINDOW_S * rate)))
    ends = [n_frames * i // n_windows for i in range(n_windows + 1)]
    return [end - start for start, end in zip(ends, ends[1:])]


def check_block(path, block, count):
    """Refuse samples that are missing, not finite, or cancel out."""
    if count == 0:
        raise AudioError(f"{path}: holds no samples; remove or replace it")
    if len(block) < count:
        raise AudioError(
            f"{path}: is truncated, a window has {len(block)} samples of "
            f"{count}; copy or record it again"
        )
    if not np.isfinite(block).all():
        raise AudioError(f"{path}: holds NaN or Inf; remove or replace it")
    loudest = np.abs(block).max()
    if loudest > LOUDEST:
        raise AudioError(
            f"{path}: holds samples of {loudest:.3g}, wanted -1 to 1; save it "
            "in 16 bits"
        )
    power = np.mean(block.astype(np.float64) ** 2)
    of_mean = np.mean(block.astype(np.float64).mean(axis=1) ** 2)
    if of_mean < CANCELLED * power:
        raise AudioError(
            f"{path}: its {block.shape[1]} channels cancel each other "
            "(antiphase); turn one over, or save one channel alone"
        )
