"""Embeddings of long lists, made in shards by any number of processes.

 * process i of n makes every n-th shard; none waits for another
 * shards that are there are kept, so a run that was broken off goes on, on
   as many processes as there are then
 * each file is encoded alone unless a batch size is given, so what is made
   does not depend on who made it

Authors
 * The speechbrain_moe developers 2026
"""

import logging
import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.embedding_shards import (
    encoder_key,
    join_shards,
    key_of,
    read_shard,
    shard_key,
    write_shard,
)
from speechbrain_moe.inference.file_embeddings import describe_files

logger = logging.getLogger(__name__)
SHARD_SIZE = 500  # files in a shard


class Share(NamedTuple):
    """The part of the work that a process does.

    Arguments
    ---------
    process : int
        Number of this process, from 0.
    n_processes : int
        How many there are.

    Example
    -------
    >>> [*"abcde"][Share(1, 2).every_nth]
    ['b', 'd']
    """

    process: int = 0
    n_processes: int = 1

    @property
    def every_nth(self):
        """Slice of a list that takes what this process is to do."""
        return slice(self.process, None, self.n_processes)


def share_of_process(process=None, n_processes=None):
    """The share that was asked for, or that torchrun gives this process.

    Arguments
    ---------
    process, n_processes : int, optional
        By default RANK and WORLD_SIZE of the environment, where torchrun
        sets them, else 0 of 1. Give both or neither.

    Returns
    -------
    Share
        Checked.

    Raises
    ------
    InputError
        If one is given alone, or there is no such process.

    Example
    -------
    >>> share_of_process(2, 2)
    Traceback (most recent call last):
    ...
    speechbrain_moe.errors.InputError: process 2 of 2: give process 0 to 1
    """
    if (process is None) != (n_processes is None):
        raise InputError("give both process and n_processes, or neither")
    if process is None:
        process = int(os.environ.get("RANK", 0))
        n_processes = int(os.environ.get("WORLD_SIZE", 1))
    if not 0 <= process < n_processes:
        raise InputError(
            f"process {process} of {n_processes}: give process 0 to "
            f"{n_processes - 1}"
        )
    return Share(process, n_processes)


def plan_shards(paths, out, shard_size=SHARD_SIZE):
    """Files of each shard.

    Arguments
    ---------
    paths : list of str
        The whole list.
    out : str or Path
        Folder of the shards.
    shard_size : int
        Files in a shard; the last one may have fewer.

    Returns
    -------
    list of tuple
        The shard's file and its part of paths.

    Raises
    ------
    InputError
        If the list is empty or names a file twice, or shard_size is below 1.

    Example
    -------
    >>> for file, part in plan_shards(["a.wav", "b.wav", "c.wav"], "x", 2):
    ...     print(file.name, part)
    shard_00000_of_00002.npz ['a.wav', 'b.wav']
    shard_00001_of_00002.npz ['c.wav']
    """
    if shard_size < 1:
        raise InputError(f"shard_size is {shard_size}; give 1 or more")
    if not paths:
        raise InputError("the list of files is empty; give another one")
    path, n_times = Counter(paths).most_common(1)[0]
    if n_times > 1:
        raise InputError(f"{path} stands in the list twice; keep it once")
    parts = [
        paths[first : first + shard_size]
        for first in range(0, len(paths), shard_size)
    ]
    return [
        (Path(out) / f"shard_{i:05d}_of_{len(parts):05d}.npz", part)
        for i, part in enumerate(parts)
    ]


def make_shards(
    encoder,
    paths,
    folder,
    out,
    share=None,
    shard_size=SHARD_SIZE,
    batch_size=1,
    describe=describe_files,
):
    """Make the shards of one process that are not there yet.

    A file that cannot be used is noted in its shard and does not stop the
    rest. Shards of the list as it was before, had it more or fewer files, are
    removed.

    Arguments
    ---------
    encoder : SpeakerRecognition
        What ``load_encoder`` returned; its embedding model is a MoEECAPA.
    paths : list of str
        The whole list: distinct files, relative to folder.
    folder : str or Path
        Where they are.
    out : str or Path
        Folder of the shards, for this list alone.
    share : Share, optional
        By default this process does everything.
    shard_size : int
        Files in a shard.
    batch_size : int
        Utterances at a time.
    describe : callable
        Gives the FileEmbeddings of a shard's files; by default those of
        whole files at the model's own rate.

    Returns
    -------
    list of Path
        The shards that were made now.

    Raises
    ------
    InputError
        If there is no such folder, the list cannot be used, or the model is
        no MoEECAPA.
    """
    if not Path(folder).is_dir():
        raise InputError(f"{folder}: no such folder; give that of the list")
    share = share or Share()
    made, model_key = [], encoder_key(encoder)
    plan = plan_shards(paths, out, shard_size)
    if share.process == 0:
        remove_others(out, {file for file, _ in plan})
    mine = plan[share.every_nth]
    for file, part in tqdm(mine, desc="shards", disable=None):
        key = shard_key(model_key, part, folder)
        if key_of(file) == key:
            continue
        if file.exists():
            logger.warning("%s: of another model or list; made anew", file)
        found = describe(encoder, part, folder, batch_size, True)
        write_shard(file, found, key, share)
        made.append(file)
    return made


def remove_others(out, files):
    """Remove shards of a list that was longer, or split otherwise.

    Arguments
    ---------
    out : str or Path
        Folder of the shards of one list.
    files : set of Path
        Those that the list has now.
    """
    for file in {*Path(out).glob("shard_*_of_*.npz")} - files:
        logger.warning("%s: of another list; removed", file)
        file.unlink(missing_ok=True)


def lacking_shards(encoder, paths, folder, out, shard_size=SHARD_SIZE):
    """Shards that are missing, or of another model or list.

    Arguments
    ---------
    encoder, paths, folder, out, shard_size
        As for ``make_shards``.

    Returns
    -------
    list of Path
        Empty when all is done.
    """
    model_key = encoder_key(encoder)
    return [
        file
        for file, part in plan_shards(paths, out, shard_size)
        if key_of(file) != shard_key(model_key, part, folder)
    ]


def read_shards(encoder, paths, folder, out, shard_size=SHARD_SIZE):
    """Read the embeddings of a whole list.

    Arguments
    ---------
    encoder, paths, folder, out, shard_size
        As for ``make_shards``.

    Returns
    -------
    FileEmbeddings
        In the order of paths, without the broken ones.

    Raises
    ------
    InputError
        If shards are missing or of another model or list, or no file could
        be used.
    """
    lacking = lacking_shards(encoder, paths, folder, out, shard_size)
    files = [file for file, _ in plan_shards(paths, out, shard_size)]
    if lacking:
        raise InputError(
            f"{len(lacking)} of {len(files)} shards are missing or of another "
            f"model or list, the first is {lacking[0]}; extract again, only "
            "those are made"
        )
    return join_shards([read_shard(file) for file in files])
