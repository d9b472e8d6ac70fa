#!/usr/bin/env python3
"""Turn audio of any format into 16 kHz mono wav, flac or opus.

* PyAV decodes where it is installed, ffmpeg elsewhere: the same libraries,
  but a process for each file costs more than the decoding.
* An output is written aside and put in place when whole.
* Run as a script it is one worker of several: a question on stdin, an answer
  on stdout.

Authors
 * The speechbrain_moe developers 2026
"""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import soundfile

from speechbrain_moe.errors import AudioError, MissingPackageError
from speechbrain_moe.files import write_whole

FORMATS = {
    "wav": {"format": "WAV"},
    "flac": {"format": "FLAC"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
}
MP4 = "mov,mp4,m4a,3gp,3g2,mj2"  # ffmpeg's name of the format
SLACK_S = 0.25  # encoders pad the ends


def convert_files(jobs, audio_format, sample_rate, decoder):
    """Write each source's audio to its target.

    Arguments
    ---------
    jobs : list of (str, str)
        Source and target.
    audio_format : str
        A key of FORMATS.
    sample_rate : int
        In Hz, of the targets.
    decoder : str
        ``av`` or ``ffmpeg``.

    Returns
    -------
    dict
        Number of a job that failed to the reason.
    """
    decode = {"av": decode_av, "ffmpeg": decode_ffmpeg}[decoder]
    faults = {}
    for number, (source, target) in enumerate(jobs):
        try:
            wav = decode(source, sample_rate)
        except AudioError as error:
            faults[number] = str(error)
        else:
            write_whole(target, _writer(wav, sample_rate, audio_format))
    return faults


def _writer(wav, sample_rate, audio_format):
    """Return what writes wav into a file."""
    form = FORMATS[audio_format]
    return lambda path: soundfile.write(path, wav, sample_rate, **form)


def choose_decoder():
    """Decoder there is: PyAV before ffmpeg.

    Returns
    -------
    str
        ``av`` or ``ffmpeg``.

    Raises
    ------
    MissingPackageError
        If there is neither.
    """
    try:
        import av  # noqa: F401
    except ImportError:
        if shutil.which("ffmpeg"):
            return "ffmpeg"
        raise MissingPackageError(
            "m4a needs a decoder: pip install av, or install ffmpeg"
        ) from None
    return "av"


def decode_av(path, sample_rate):
    """Waveform of a file, by PyAV.

    Arguments
    ---------
    path : str
        Audio or video file; its first audio stream counts.
    sample_rate : int
        In Hz, of what is returned.

    Returns
    -------
    numpy.ndarray
        Mono waveform [S], int16.

    Raises
    ------
    AudioError
        If the file is broken, cut off, or without audio.
    """
    import av

    try:
        with av.open(path) as file:
            stream = file.streams.audio[0]
            resampler = av.AudioResampler("s16", "mono", sample_rate)
            frames = [
                out.to_ndarray()[0]
                for frame in (*file.decode(stream), None)  # None: the rest
                for out in resampler.resample(frame)
            ]
            wanted_s = 0.0
            if file.format.name == MP4 and stream.duration:
                wanted_s = float(stream.duration * stream.time_base)
    except (av.FFmpegError, IndexError, UnicodeError) as error:
        raise AudioError(f"broken or cut off: {error}") from error
    wav = np.concatenate(frames) if frames else np.zeros(0, np.int16)
    return _checked(wav, sample_rate, wanted_s)


def decode_ffmpeg(path, sample_rate):
    """Waveform of a file, by ffmpeg.

    Arguments
    ---------
    path : str
        Audio or video file; its first audio stream counts.
    sample_rate : int
        In Hz, of what is returned.

    Returns
    -------
    numpy.ndarray
        Mono waveform [S], int16.

    Raises
    ------
    AudioError
        If the file is broken, cut off, or without audio.
    """
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-xerror"]
    command += ["-i", f"file:{path}", "-vn", "-map", "0:a:0"]
    command += ["-ac", "1", "-ar", str(sample_rate), "-f", "s16le", "-"]
    done = subprocess.run(command, capture_output=True)
    log = done.stderr.decode(errors="replace").strip()
    if done.returncode:
        raise AudioError(f"broken or cut off: {log.split(chr(10))[-1]}")
    wav = np.frombuffer(done.stdout, dtype="<i2").astype(np.int16)
    return _checked(wav, sample_rate, _stated_s(log))


def _stated_s(log):
    """Return the duration that ffmpeg's log states for an mp4, or 0.0."""
    found = re.search(r"Duration: (\d+):(\d+):([\d.]+)", log)
    if MP4 not in log or not found:
        return 0.0
    hours, minutes, seconds = map(float, found.groups())
    return 3600 * hours + 60 * minutes + seconds


def _checked(wav, sample_rate, wanted_s):
    """Return wav, or refuse what is empty or ends early."""
    found_s = len(wav) / sample_rate
    if not found_s:
        raise AudioError("no audio in it")
    if found_s < wanted_s - SLACK_S:
        raise AudioError(f"cut off after {found_s:.2f} of {wanted_s:.2f} s")
    return wav


if __name__ == "__main__":
    json.dump(convert_files(**json.load(sys.stdin)), sys.stdout)
