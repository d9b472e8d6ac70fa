"""Changes to a gallery's file: whole or not at all.

 * writers wait for each other, so that none loses what another adds
 * the same recording of a name counts once
 * a gallery takes embeddings of one model; an empty one takes any

Shape letters: D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

import uuid
from pathlib import Path

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.gallery_file import (
    STORED,
    TABLES,
    is_empty,
    read_about,
    transaction,
)


def add_recordings(file, model, rows, replace=False):
    """Add recordings, all or none of them.

    Arguments
    ---------
    file : Path
        The gallery's file; made, with its folder, if need be.
    model : str
        What ``encoder_key`` says of the model.
    rows : iterable of tuple
        name, name of the file, its hash, embedding [D], for each.
    replace : bool
        Whether to forget what these names had before.

    Raises
    ------
    InputError
        If the gallery is of another model, has embeddings of another size,
        or cannot be written.

    Example
    -------
    >>> file = getfixture("tmp_path") / "gallery.sqlite"
    >>> add_recordings(file, "key", [("ann", "a.wav", "0a", np.ones(2))])
    >>> read_about(file)[0]
    'key'
    """
    make_folder(Path(file).parent)
    with transaction(file, "IMMEDIATE") as connection:
        if is_empty(connection):
            for command in TABLES:
                connection.execute(command)
        (stored,) = connection.execute("SELECT model FROM about").fetchone()
        refuse_other_model(stored, model, file)
        replaced = set()
        for name, *texts, embedding in rows:
            if replace and name not in replaced:
                replaced.add(name)
                forget(connection, name)
            blob = np.asarray(embedding, dtype=STORED).tobytes()
            refuse_other_size(connection, blob, file)
            connection.execute(
                "INSERT OR REPLACE INTO recordings VALUES (?, ?, ?, ?)",
                (name, *texts, blob),
            )
        mark_changed(connection, model)


def make_folder(folder):
    """Make a folder if there is none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: {error.strerror}; give a folder that can be written"
        ) from error


def refuse_other_model(stored, model, file):
    """Refuse embeddings of another model.

    Arguments
    ---------
    stored : str or None
        The gallery's model; None takes any.
    model : str
        What ``encoder_key`` says of the one given.
    file : Path
        The gallery's file.

    Raises
    ------
    InputError
        If they differ.
    """
    if stored not in (None, model):
        raise InputError(
            f"{file} holds embeddings of another model or other settings "
            f"({stored[:12]}, not {model[:12]}); use that model, or enrol the "
            "recordings into another folder"
        )


def refuse_other_size(connection, blob, file):
    """Refuse an embedding that could not be compared with the others."""
    command = "SELECT length(embedding) FROM recordings LIMIT 1"
    found = connection.execute(command).fetchone()
    if found not in (None, (len(blob),)):
        width = STORED.itemsize
        raise InputError(
            f"{file} holds embeddings of {found[0] // width} numbers, not "
            f"{len(blob) // width}; export the other gallery again"
        )


def forget(connection, name):
    """Take away a name's recordings; how many there were."""
    command = "DELETE FROM recordings WHERE name = ?"
    return connection.execute(command, (name,)).rowcount


def mark_changed(connection, model):
    """Note the model if anybody is left, and a state that never was."""
    left = connection.execute("SELECT 1 FROM recordings LIMIT 1").fetchone()
    command = "UPDATE about SET model = ?, state = ?"
    connection.execute(command, (model if left else None, uuid.uuid4().hex))


def delete_recordings(file, name):
    """Delete a name's recordings.

    Arguments
    ---------
    file : Path
        The gallery's file.
    name : str
        Whose.

    Returns
    -------
    int
        How many there were.

    Raises
    ------
    InputError
        If the gallery cannot be written.
    """
    if read_about(file)[0] is None:
        return 0
    with transaction(file, "IMMEDIATE") as connection:
        (model,) = connection.execute("SELECT model FROM about").fetchone()
        n_recordings = forget(connection, name)
        if n_recordings:
            mark_changed(connection, model)
        return n_recordings
