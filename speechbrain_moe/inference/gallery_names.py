"""Names of enrolled speakers, and of the files they are enrolled by.

 * any text of one line, in any script; it is never made a path
 * names compare exactly, but for the two ways to write an accented letter
 * a file's name is kept without its folder

Authors
 * The speechbrain_moe developers 2026
"""

import os
import unicodedata
from pathlib import Path

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.decisions import UNKNOWN

MAX_NAME = 200  # characters
NOT_IN_NAMES = ("Cc", "Cs", "Zl", "Zp")  # control, half characters, lines


def check_name(name):
    """A speaker's name in Unicode's composed form, if it can be one.

    Arguments
    ---------
    name : str
        Any text of one line that does not say ``unknown``.

    Returns
    -------
    str
        The same for both ways to write an accented letter.

    Raises
    ------
    InputError
        If it cannot be used.

    Example
    -------
    >>> check_name("Zoe" + chr(0x308)) == "Zo" + chr(0xEB)
    True
    """
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"name is {name!r}; give some text")
    odd = any(unicodedata.category(c) in NOT_IN_NAMES for c in name)
    if odd or name != name.strip() or len(name) > MAX_NAME:
        raise InputError(
            f"name {name[:MAX_NAME]!r}: give one line of up to {MAX_NAME} "
            "characters, without control characters or space around it"
        )
    seen = [c for c in name if unicodedata.category(c) != "Cf"]
    if "".join(seen).casefold() == UNKNOWN:  # joiners show nothing
        raise InputError(f"name {name!r} means nobody enrolled; give another")
    return unicodedata.normalize("NFC", name)


def base_name(file):
    """A file's name without its folder, as text that can be stored.

    Example
    -------
    >>> base_name("voices/a.wav")
    'a.wav'
    """
    return os.fsencode(Path(file).name).decode("utf-8", "replace")
