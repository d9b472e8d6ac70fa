"""Hashes of files, one by one and of a whole package.

Authors
 * The speechbrain_moe developers 2026
"""

import hashlib
from pathlib import Path

from speechbrain_moe.errors import PackageError

MANIFEST_FILE = "manifest.json"
BLOCK = 1 << 20  # bytes read at a time


def sha256_of(path):
    """Hash of a file.

    Arguments
    ---------
    path : str or Path
        The file.

    Returns
    -------
    str
        SHA-256, in hexadecimal.

    Example
    -------
    >>> path = getfixture("tmp_path") / "empty"
    >>> path.touch()
    >>> sha256_of(path)[:8]
    'e3b0c442'
    """
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def hash_files(folder):
    """Hash and size of every file of a package.

    Arguments
    ---------
    folder : str or Path
        The package.

    Returns
    -------
    dict of dict
        sha256 and size in bytes, by name relative to the folder, sorted;
        manifest.json and names that begin with a dot are left out.

    Example
    -------
    >>> folder = getfixture("tmp_path")
    >>> _ = (folder / "a.txt").write_text("text")
    >>> hash_files(folder)["a.txt"]["size"]
    4
    """
    return {name: hash_file(folder, name) for name in names_in(folder)}


def names_in(folder):
    """Names of a package's files, relative to it, sorted.

    Arguments
    ---------
    folder : str or Path
        The package.

    Returns
    -------
    list of str
        Without manifest.json, and names that begin with a dot.
    """
    found = []
    for path in sorted(Path(folder).rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        if path.is_file() and not hidden and str(name) != MANIFEST_FILE:
            found.append(name.as_posix())
    return found


def hash_file(folder, name):
    """Hash and size of one file of a package.

    Arguments
    ---------
    folder : str or Path
        The package.
    name : str
        The file there.

    Returns
    -------
    dict or None
        sha256 and size in bytes; None where there is no file.

    Raises
    ------
    PackageError
        If it may not be read.
    """
    path = Path(folder) / name
    try:
        if not path.is_file():
            return None
        return {"sha256": sha256_of(path), "size": path.stat().st_size}
    except OSError as error:
        raise PackageError(
            f"{path} cannot be read ({error.strerror}): let it be read"
        ) from error
