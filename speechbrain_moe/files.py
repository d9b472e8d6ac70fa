"""Files that appear whole or not at all.

Authors
 * The speechbrain_moe developers 2026
"""

import os
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
