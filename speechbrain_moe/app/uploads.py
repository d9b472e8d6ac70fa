"""What visitors send: limits, and the names they know it by.

 * a recording is refused before it is read when it is missing or too long
 * all that was sent is deleted in time, what was cut while sent too, and
   before its time where there is too much
 * messages name a recording as the visitor does; where the server keeps it
   is nobody's business

Authors
 * The speechbrain_moe developers 2026
"""

import re
import stat
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import soundfile

from speechbrain_moe.errors import AudioError
from speechbrain_moe.inference.recordings import UNTOLD


@contextmanager
def forgetting(folder, each_s, age_s, max_bytes):
    """Delete what has lain in a folder for a time, again and again.

    Arguments
    ---------
    folder : str or Path
        Where uploads lie.
    each_s : float
        From one look to the next.
    age_s : float
        How long a file stays.
    max_bytes : int
        What may lie there; the oldest go first.
    """
    ended = threading.Event()

    def run():
        while not ended.wait(each_s):
            with suppress(OSError):  # again at the next look
                forget_old(folder, age_s, max_bytes)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def forget_old(folder, age_s, max_bytes):
    """Delete files that were written some time ago, or are too much.

    Arguments
    ---------
    folder : str or Path
        Where they are, at any depth.
    age_s : float
        How long a file stays.
    max_bytes : int
        What stays at most: the newest files that fit.

    Example
    -------
    >>> (getfixture("tmp_path") / "new.wav").touch()
    >>> forget_old(getfixture("tmp_path"), age_s=60, max_bytes=1000)
    >>> (getfixture("tmp_path") / "new.wav").exists()
    True
    """
    kept_bytes = 0
    for written, n_bytes, path in sorted(stored_files(folder), reverse=True):
        is_old = time.time() - written > age_s
        if is_old or kept_bytes + n_bytes > max_bytes:
            with suppress(OSError):  # in use on Windows: the next time
                path.unlink(missing_ok=True)
        else:
            kept_bytes += n_bytes


def stored_files(folder):
    """When each file of a folder was written, its bytes and its path."""
    for path in Path(folder).rglob("*"):
        with suppress(OSError):  # gone by itself
            found = path.stat()
            if stat.S_ISREG(found.st_mode):
                yield found.st_mtime, found.st_size, path


def check_recording(path, max_seconds):
    """Refuse a recording that is missing or too long.

    Arguments
    ---------
    path : str or None
        Where the server keeps it; None if nothing was sent.
    max_seconds : float
        Longest that is taken.

    Returns
    -------
    str
        The path.

    Raises
    ------
    AudioError
        Says what is wanted. What is no audio passes: the model names it.

    Example
    -------
    >>> check_recording(None, max_seconds=60)
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.AudioError: a recording is missing; record or ...
    """
    if not path:
        raise AudioError("a recording is missing; record or upload one")
    try:
        found = soundfile.info(path)
    except (soundfile.LibsndfileError, TypeError):  # TypeError: of a .raw
        return path
    if found.duration > max_seconds and found.frames < UNTOLD:
        raise AudioError(
            f"{path}: lasts {found.duration:.0f} s, at most {max_seconds:g} s "
            "are taken; cut it"
        )
    return path


def recording_names(paths, labels=None):
    """What visitors know recordings by.

    Arguments
    ---------
    paths : list of str
        Where the server keeps them.
    labels : list of str, optional
        Their place on the page.

    Returns
    -------
    dict of str
        Name by path.

    Example
    -------
    >>> recording_names(["/tmp/x/a.wav"], ["first voice"])
    {'/tmp/x/a.wav': 'first voice (a.wav)'}
    """
    names = [Path(path).name for path in paths]
    if labels is not None:
        names = [f"{label} ({name})" for label, name in zip(labels, names)]
    known = {}
    for path, name in zip(map(str, paths), names):
        both = known.get(path), name  # the same one may be sent twice
        known[path] = " and ".join(dict.fromkeys(filter(None, both)))
    return known


def with_names(text, names):
    """A message with names in place of paths.

    Arguments
    ---------
    text : str
        The message.
    names : dict of str
        What ``recording_names`` returned.

    Returns
    -------
    str
        The message as the visitor can read it.

    Example
    -------
    >>> with_names("/tmp/x/a.wav: silence", {"/tmp/x/a.wav": "a.wav"})
    'a.wav: silence'
    """
    longest_first = sorted(names, key=len, reverse=True)
    known = "|".join(map(re.escape, longest_first))
    return re.sub(known, lambda it: names[it[0]], text) if known else text
