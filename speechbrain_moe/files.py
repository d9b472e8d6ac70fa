"""Files that appear whole or not at all, and those below a folder.

Authors
 * The speechbrain_moe developers 2026
"""

import os
import shutil
import threading
from pathlib import Path

from speechbrain_moe.errors import InputError


def write_whole(path, content):
    """Write a file aside, then put it in place in one step.

    A crash leaves the file as it was before, or not there. Of a link, the
    file that it leads to is written; one that is there keeps who may read it.

    Arguments
    ---------
    path : str or Path
        File to write; its folder is made if need be.
    content : str or callable
        Text, written as UTF-8 with plain newlines; or a function that is
        given the path aside and writes there.

    Raises
    ------
    InputError
        If it is a device or a pipe, which nothing may take the place of.

    Example
    -------
    >>> path = getfixture("tmp_path") / "new" / "a.txt"
    >>> write_whole(path, "text")
    >>> path.read_text()
    'text'
    """
    check_plain(path)
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    # One name for each thread; the suffix stays, writers look at it
    own = f".{os.getpid()}.{threading.get_ident()}."
    aside = path.with_name(own + path.name)
    try:
        if callable(content):
            content(aside)
        else:
            aside.write_text(content, encoding="utf-8", newline="\n")
        if path.exists():
            shutil.copymode(path, aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def check_plain(path):
    """Refuse a place where a file would replace a device or a pipe.

    Arguments
    ---------
    path : str or Path
        Where a file is to be written.

    Raises
    ------
    InputError
        Names it.

    Example
    -------
    >>> check_plain(os.devnull)
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.InputError: /dev/null: is a device or a pipe; ...
    """
    path = Path(path)
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputError(
            f"{path}: is a device or a pipe; give the name of a file"
        )


def walk_folder(folder, onerror=None):
    """Every folder below one, and the files in it; links are followed.

    Arguments
    ---------
    folder : str or Path
        Where to begin.
    onerror : callable, optional
        Is given the OSError of a folder that cannot be read, which is passed
        over.

    Yields
    ------
    str
        A folder; none twice by a link to a folder that it stands in.
    list of str
        Names of its files.

    Example
    -------
    >>> folder = getfixture("tmp_path") / "a"
    >>> folder.mkdir()
    >>> (folder / "again").symlink_to(folder)
    >>> [names for _, names in walk_folder(folder)]
    [[]]
    """
    walked = {str(folder): [os.path.realpath(folder)]}  # and those above
    for parent, folders, names in os.walk(
        folder, onerror=onerror, followlinks=True
    ):
        above = walked.pop(parent)
        kept = []
        for name in folders:
            path = os.path.join(parent, name)
            real = os.path.join(above[-1], name)
            if os.path.islink(path):
                real = os.path.realpath(path)
                if leads_back(real, above):
                    continue
            walked[path] = [*above, real]
            kept.append(name)
        folders[:] = kept
        yield parent, names


def leads_back(real, above):
    """Whether a link leads to a folder that it was come to by: a loop.

    Arguments
    ---------
    real : str
        Where it leads.
    above : list of str
        Real paths of the folders that were come through, the last one
        holding the link.

    Returns
    -------
    bool
        True for a folder that holds one of them, too.

    Example
    -------
    >>> leads_back("/a", ["/a/b"]), leads_back("/a/c", ["/a/b"])
    (True, False)
    """
    return any(Path(folder).is_relative_to(real) for folder in above)


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
