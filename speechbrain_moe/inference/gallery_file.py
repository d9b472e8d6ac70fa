"""The file behind a gallery: recordings of enrolled voices in SQLite.

 * a change is one transaction: a crash leaves the file as it was before, and
   writers wait for each other; on a network folder that rests on its file
   locks, which SMB and NFS 4 have
 * a row is a recording; the same recording of a name counts once
 * names are values of rows, never paths, and compare exactly
 * what is deleted is overwritten, since a voice is personal data

Shape letters: R recordings, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechbrain_moe.errors import InputError

FORMAT = 1
WAIT_S = 30  # for another writer
STORED = np.dtype("<f4")
TABLES = (  # about has one row
    "CREATE TABLE about (model TEXT, state TEXT)",
    "CREATE TABLE recordings (name TEXT NOT NULL, file TEXT NOT NULL, "
    "sha256 TEXT NOT NULL, embedding BLOB NOT NULL, "
    "PRIMARY KEY (name, sha256))",
    "INSERT INTO about VALUES (NULL, NULL)",
    f"PRAGMA user_version = {FORMAT}",
)


class Recordings(NamedTuple):
    """What a gallery holds.

    Arguments
    ---------
    model : str or None
        What ``encoder_key`` says of the model; None while nobody is enrolled.
    names : list of str
        Whose recording each is, [R].
    files : list of str
        Names of the files, without folders, [R].
    sha256 : list of str
        Hashes of the files, [R].
    embeddings : np.ndarray
        Of length 1, [R, D] float32.

    Example
    -------
    >>> embeddings = np.ones((1, 1), dtype=np.float32)
    >>> Recordings("key", ["ann"], ["a.wav"], ["0a"], embeddings).names
    ['ann']
    """

    model: str | None
    names: list[str]
    files: list[str]
    sha256: list[str]
    embeddings: np.ndarray


@contextmanager
def transaction(file, kind="DEFERRED"):
    """A connection whose changes are made whole or not at all.

    Arguments
    ---------
    file : Path
        The gallery's file.
    kind : str
        DEFERRED to read, IMMEDIATE to write.

    Yields
    ------
    sqlite3.Connection
        Within a transaction.

    Raises
    ------
    InputError
        If the file is damaged, of a later format, or cannot be locked, read
        or written.
    """
    try:
        connection = sqlite3.connect(file, WAIT_S, isolation_level=None)
        try:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"BEGIN {kind}")
            check_format(connection, file)
            yield connection
            connection.execute("COMMIT")
        finally:
            connection.close()  # takes back what was not committed
    except sqlite3.Error as error:
        raise InputError(
            f"{file}: {error}; check that it is a gallery, that its folder "
            "can be written, and that no other program holds it"
        ) from error


def check_format(connection, file):
    """Refuse a file that a later version wrote."""
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if found not in (0, FORMAT):
        raise InputError(
            f"{file} has format {found}, not {FORMAT}: a later "
            "speechbrain-moe wrote it; install that one"
        )


def is_empty(connection):
    """Whether a file has no tables yet."""
    return connection.execute("PRAGMA user_version").fetchone() == (0,)


def is_there(file):
    """Whether a gallery was made."""
    try:
        return Path(file).is_file()
    except OSError as error:
        raise InputError(
            f"{file}: {error.strerror}; give a folder that can be read"
        ) from error


def read_about(file):
    """Model of a gallery, and a word that changes with every change.

    Arguments
    ---------
    file : Path
        The gallery's file.

    Returns
    -------
    model, state : str or None
        None where there is no file; model also while nobody is enrolled.

    Raises
    ------
    InputError
        If the file is damaged or cannot be read.

    Example
    -------
    >>> read_about(getfixture("tmp_path") / "gallery.sqlite")
    (None, None)
    """
    if not is_there(file):
        return None, None
    with transaction(file) as connection:
        if is_empty(connection):
            return None, None
        return connection.execute("SELECT model, state FROM about").fetchone()


def read_files(file, name):
    """Names of the files that somebody is enrolled by.

    Arguments
    ---------
    file : Path
        The gallery's file.
    name : str
        Whose.

    Returns
    -------
    list of str
        Sorted; empty for who is not enrolled.
    """
    if read_about(file)[0] is None:
        return []
    command = "SELECT file FROM recordings WHERE name = ? ORDER BY file"
    with transaction(file) as connection:
        return [row[0] for row in connection.execute(command, (name,))]


def read_recordings(file):
    """Read all recordings, sorted by name.

    Arguments
    ---------
    file : Path
        The gallery's file.

    Returns
    -------
    state : str or None
        What ``read_about`` said when they were read.
    Recordings
        Empty, [0, 0], where nobody is enrolled.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    nothing = Recordings(None, [], [], [], np.zeros((0, 0), dtype=np.float32))
    if read_about(file)[1] is None:
        return None, nothing
    with transaction(file) as connection:
        model, state = connection.execute("SELECT * FROM about").fetchone()
        rows = connection.execute(
            "SELECT * FROM recordings ORDER BY name, sha256"
        ).fetchall()
    if not rows:
        return state, nothing
    *columns, blobs = map(list, zip(*rows))
    return state, Recordings(model, *columns, join_blobs(blobs, file))


def join_blobs(blobs, file):
    """Embeddings [R, D] from the bytes of each."""
    if len({len(blob) for blob in blobs}) > 1 or len(blobs[0]) % 4:
        raise InputError(
            f"{file} is damaged: its embeddings differ in size; take it from "
            "a backup or an export"
        )
    numbers = np.frombuffer(b"".join(blobs), dtype=STORED)
    return numbers.reshape(len(blobs), -1).astype(np.float32, copy=False)
