"""Files that appear whole or not at all.

Authors
 * The speechbrain_moe developers 2026
"""

import os
import shutil
from pathlib import Path


def write_whole(path, content):
    """Write a file aside, then put it in place in one step.

    A crash leaves the file as it was before, or not there.

    Arguments
    ---------
    path : str or Path
        File to write; its folder is made if need be.
    content : str or callable
        Text, written as UTF-8 with plain newlines; or a function that is
        given the path aside and writes there.

    Example
    -------
    >>> path = getfixture("tmp_path") / "new" / "a.txt"
    >>> write_whole(path, "text")
    >>> path.read_text()
    'text'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # One name for each process; the suffix stays, writers look at it
    aside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        if callable(content):
            content(aside)
        else:
            aside.write_text(content, encoding="utf-8", newline="\n")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def replace_folder(aside, folder, old):
    """Put a whole folder in the place of another, of the same disk.

    The other one is moved away first and removed last, so that a crash
    leaves a whole one, be it under the name given as ``old``.

    Arguments
    ---------
    aside : Path
        The new folder.
    folder : Path
        Its place.
    old : Path
        Where the other one goes meanwhile; what is there is removed.

    Example
    -------
    >>> aside = getfixture("tmp_path") / "aside"
    >>> aside.mkdir()
    >>> folder = aside.with_name("folder")
    >>> replace_folder(aside, folder, aside.with_name("old"))
    >>> folder.is_dir()
    True
    """
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.rename(folder, old)
    os.rename(aside, folder)
    shutil.rmtree(old, ignore_errors=True)
