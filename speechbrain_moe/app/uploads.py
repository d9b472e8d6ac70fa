"""What visitors send: limits, and the names they know it by.

 * a recording is refused before it is read when it is missing or too long
 * messages name a recording as the visitor does; where the server keeps it
   is nobody's business

Authors
 * The speechbrain_moe developers 2026
"""

from pathlib import Path

import soundfile

from speechbrain_moe.errors import AudioError


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
        seconds = soundfile.info(path).duration
    except soundfile.LibsndfileError:
        return path
    if seconds > max_seconds:
        raise AudioError(
            f"{path}: lasts {seconds:.0f} s, at most {max_seconds:g} s are "
            "taken; cut it"
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
    return dict(zip(map(str, paths), names))


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
    for path, name in names.items():
        text = text.replace(path, name)
    return text
