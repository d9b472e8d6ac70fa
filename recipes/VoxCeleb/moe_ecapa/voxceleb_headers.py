#!/usr/bin/env python3
"""Tell from its header how long a file is, or why it cannot be trained on.

* Headers only; a flac is also asked for its last frame, since a cut one
  still states its full length.
* Run as a script it is one worker of several: a question on stdin, an answer
  on stdout. Processes, since on idle cores threads lose to none at this (the
  interpreter's lock); a worker imports so little that it starts in 0.2 s.

Authors
 * The speechbrain_moe developers 2026
"""

import json
import os
import sys

import soundfile

SUFFIXES = (".wav", ".flac", ".opus", ".ogg")
OTHER_AUDIO = (".m4a", ".mp3", ".aac", ".mp4")  # listed, so they are seen
NO_LENGTH = 2**40  # libsndfile gives 2**63 - 1 frames when it does not know


def headers(folder, files, min_duration_s=1.0, sample_rate=16000):
    """Duration of each file, and why some cannot be used.

    Arguments
    ---------
    folder : str
        What the paths are relative to.
    files : list of (str, int)
        Path and bytes; -1 bytes for a link to a missing file.
    min_duration_s : float
        Shorter files are faulty.
    sample_rate : int
        In Hz; files of another rate are faulty.

    Returns
    -------
    durations_s : list of float
        One per file, 0.0 where it cannot be read.
    faults : dict
        Number of a faulty file to what is wrong with it.

    Example
    -------
    >>> headers(".", [("a/b/c.wav", 0)])
    ([0.0], {0: 'empty file: copy it again'})
    """
    durations_s, faults = [], {}
    for number, (path, size) in enumerate(files):
        duration_s, fault = _header(
            folder, path, size, min_duration_s, sample_rate
        )
        durations_s.append(duration_s)
        if fault:
            faults[number] = fault
    return durations_s, faults


def _header(folder, path, size, min_duration_s, sample_rate):
    """Return (duration_s, fault) of one file."""
    fault = _name_fault(path, size)
    if fault:
        return 0.0, fault
    try:
        with soundfile.SoundFile(os.path.join(folder, path)) as file:
            rate, frames = file.samplerate, file.frames
            if file.format == "FLAC" and 0 < frames < NO_LENGTH:
                file.seek(frames - 1)
    except (RuntimeError, OSError) as error:
        text = getattr(error, "error_string", None) or str(error)
        return 0.0, f"unreadable or cut off: {text} Copy it again"
    fault = _sound_fault(rate, frames, min_duration_s, sample_rate)
    return round(frames / rate, 3), fault


def _name_fault(path, size):
    """Return why path, suffix or bytes make a file unusable, or ''."""
    if path.split() != [path]:
        return "white space in the path splits a trial line: rename it"
    if path != path.encode("utf-8", "ignore").decode():
        return "the name is not UTF-8, which a csv cannot hold: rename it"
    if os.path.splitext(path)[1].lower() in OTHER_AUDIO:
        return "format not read: convert with voxceleb_convert.py or ffmpeg"
    if size == -1:
        return "link to a missing file: link it again"
    return "" if size else "empty file: copy it again"


def _sound_fault(rate, frames, min_duration_s, sample_rate):
    """Return why a readable file is unusable, or ''."""
    if rate != sample_rate:  # training reads crops by frame offset
        tools = f"sox IN -r {sample_rate} OUT or ffmpeg -i IN -ar {sample_rate}"
        return f"{rate} Hz, want {sample_rate}: resample, {tools} OUT"
    if frames >= NO_LENGTH:
        return "no length in the header: encode it again"
    if frames < min_duration_s * rate:
        return f"{frames / rate:.3f} s, shorter than {min_duration_s} s"
    return ""


if __name__ == "__main__":
    json.dump(headers(**json.load(sys.stdin)), sys.stdout)
