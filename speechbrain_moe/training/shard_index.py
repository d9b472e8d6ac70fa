"""What a folder of shards holds, and whether it fits the prepared lists.

 * shards are tar files in webdataset form: of each utterance
   ``<number>.json`` (ID, path, spk_id, duration_s), then its audio file
 * numbers run from 0 through all shards, in the order of the index
 * the index carries a hash of the lists that the shards were made of; with
   other lists they are stale, and could hold dev speakers
 * shards are opened by webdataset: a folder, http(s), or a pipe

Authors
 * The speechbrain_moe developers 2026
"""

import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse

from speechbrain_moe.errors import HyperparameterError, MissingPackageError

INDEX = "index.json"


class ShardIndex(NamedTuple):
    """Shards by number.

    Arguments
    ---------
    urls : list of str
        Where they are.
    sizes : list of int
        Utterances of each.
    """

    urls: list
    sizes: list


def read_index(shards, csv_paths):
    """The shards of a place, if they were made of these lists.

    Arguments
    ---------
    shards : str or Path
        Folder or URL that holds index.json and the shards; or a URL with
        {} for the file name, such as "pipe:aws s3 cp s3://bucket/{} -".
    csv_paths : list of str or Path
        The prepared lists that the training reads, in order.

    Returns
    -------
    ShardIndex
        Where the shards are.

    Raises
    ------
    HyperparameterError
        If there is no index, the lists are others, or a local shard is
        missing or has another size; the message names the file.

    Example
    -------
    >>> read_index("nowhere", [])
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.HyperparameterError: shards: no usable
    nowhere/index.json (...): correct the place, or run make_shards.py
    """
    url = shard_url(shards, INDEX)
    try:
        with opener()(url) as file:
            index = json.loads(file.read())
        rows = [
            (shard_url(shards, row["name"]), row["n_utts"], row["n_bytes"])
            for row in index["shards"]
        ]
        lists = index["lists"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HyperparameterError(
            f"shards: no usable {url} ({error}): correct the place, or run "
            "make_shards.py"
        ) from error
    if lists != lists_hash(csv_paths):
        raise HyperparameterError(
            f"shards: {url} is not of {', '.join(map(str, csv_paths))} as "
            "they are now: run make_shards.py again"
        )
    for shard, _, n_bytes in rows:
        check_size(shard, n_bytes)
    return ShardIndex([row[0] for row in rows], [row[1] for row in rows])


def shard_url(shards, name):
    """Where a file of the shards is.

    Arguments
    ---------
    shards : str or Path
        Their place, as ``read_index`` takes it.
    name : str
        The file.

    Returns
    -------
    str
        Path or URL.

    Example
    -------
    >>> shard_url("https://host/voxceleb/", "index.json")
    'https://host/voxceleb/index.json'
    >>> shard_url("pipe:cat /data/{}", "index.json")
    'pipe:cat /data/index.json'
    """
    shards = str(shards)
    if "{}" in shards:
        return shards.replace("{}", name)
    return f"{shards.rstrip('/')}/{name}"


def lists_hash(csv_paths):
    """What tells prepared lists from all others.

    Arguments
    ---------
    csv_paths : list of str or Path
        The lists, in order.

    Returns
    -------
    str
        SHA-256 of their contents.
    """
    digest = hashlib.sha256()
    for path in csv_paths:
        digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return digest.hexdigest()


def check_size(url, n_bytes):
    """Refuse a local shard that is not as long as it was.

    Arguments
    ---------
    url : str
        The shard; one that is no local path is left alone.
    n_bytes : int
        Its length.

    Raises
    ------
    HyperparameterError
        The message names the shard and what to do.
    """
    if urlparse(url).scheme:
        return
    found = os.path.getsize(url) if os.path.isfile(url) else None
    if found != n_bytes:
        state = "is missing" if found is None else f"has {found} bytes"
        raise HyperparameterError(
            f"shards: {url} {state}, the index says {n_bytes}: copy it "
            "again, or remove it and run make_shards.py"
        )


def opener():
    """webdataset's function that opens a path or URL.

    Returns
    -------
    callable
        ``webdataset.gopen``.

    Raises
    ------
    MissingPackageError
        If webdataset is not installed.
    """
    try:
        from webdataset import gopen
    except ImportError as error:
        raise MissingPackageError(
            'shards need webdataset: pip install "speechbrain-moe[shards]"'
        ) from error
    return gopen
