"""Where a command may write, looked at before it begins.

Authors
 * The speechbrain_moe developers 2026
"""

import os
from pathlib import Path

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import check_plain


def check_out(path, *read):
    """Refuse a file that could not, or should not, be written in the end.

    Arguments
    ---------
    path : str or Path
        The file; folders above it that are not there will be made.
    *read : str or Path
        Files that the command reads.

    Raises
    ------
    InputError
        If it is a folder, a device or a pipe, one of the files that are
        read, or the nearest folder above may not be written to.

    Example
    -------
    >>> check_out(getfixture("tmp_path"))
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.InputError: ...: is a folder; give a file
    """
    check_plain(path)
    if Path(path).is_dir():
        raise InputError(f"{path}: is a folder; give a file")
    above = next(p for p in Path(path).absolute().parents if p.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise InputError(
            f"{path}: {above} is no folder that may be written to; give "
            "another place"
        )
    if not Path(path).exists():
        return
    for name in read:
        if Path(name).exists() and os.path.samefile(path, name):
            raise InputError(
                f"{path} is read here, and would be written over; give "
                "another file"
            )


def without(names, own):
    """Names that a command was given, without what its earlier run left.

    Arguments
    ---------
    names : list of str
        A shell's pattern names what is there, the command's own too.
    own : str or Path
        What an earlier run of the same command wrote.

    Returns
    -------
    list of str
        All names if there is no other.

    Example
    -------
    >>> without(["a.wav", "./out.npz.parts"], "out.npz.parts")
    ['a.wav']
    """
    own = Path(own).resolve()
    return [name for name in names if Path(name).resolve() != own] or names
