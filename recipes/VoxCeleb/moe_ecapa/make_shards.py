#!/usr/bin/env python3
"""Pack a prepared training into shards, for storage that is no local disk.

    python make_shards.py <save_folder> <audio folder> <out>

* Tar files in webdataset form, readable by webdataset alone: for each
  utterance its row of train.csv as json, and the audio file as it is.
* Utterances are shuffled first, so that a shard holds many speakers.
* A shard is written aside and put in place in one step; a second run keeps
  those that stand and goes on. index.json is written last.
* Names of shards carry a hash of all that they depend on: shards of other
  lists or files are never taken for these.

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import hashlib
import io
import json
import logging
import os
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.training.data import read_table
from speechbrain_moe.training.shard_index import INDEX, lists_hash
from speechbrain_moe.training.shards import sample_name

logger = logging.getLogger(__name__)

COLUMNS = ["ID", "path", "spk_id", "duration_s"]
FORMAT = 1  # raise it when the meaning of a shard changes


class ShardError(InputError):
    """Lists or audio that shards cannot be made of."""


class Sharded(NamedTuple):
    """Counts of shards written now and kept, and of utterances."""

    n_written: int
    n_kept: int
    n_utts: int


def make_shards(
    save_folder,
    audio_folder,
    out,
    utts_per_shard=2000,
    unlabelled_folder=None,
    seed=1234,
):
    """Write <out>/<hash>-<number>.tar and <out>/index.json.

    Files are told apart by name and size: one replaced by another of the
    same size is not noticed.

    Arguments
    ---------
    save_folder : str
        Holds the train.csv of a preparation.
    audio_folder : str
        What the paths of train.csv are relative to.
    out : str
        Where to write; made when missing.
    utts_per_shard : int
        Utterances of a shard; the last has what is left.
    unlabelled_folder : str, optional
        What the paths of unlabelled.csv in save_folder are relative to;
        without it that list is not packed.
    seed : int
        What the order of the utterances is drawn from.

    Returns
    -------
    Sharded
        Counts.

    Raises
    ------
    ShardError
        If a list is missing or empty, a number is below 1, or an audio file
        is missing; the message names it.

    Example
    -------
    >>> make_shards("nowhere", "wav", "shards")
    Traceback (most recent call last):
    ...
    make_shards.ShardError: nowhere/train.csv: no such list; prepare ...
    """
    if utts_per_shard < 1:
        raise ShardError(f"utts_per_shard is {utts_per_shard}; give 1 or more")
    lists = {Path(save_folder) / "train.csv": audio_folder}
    if unlabelled_folder is not None:
        lists[Path(save_folder) / "unlabelled.csv"] = unlabelled_folder
    table = read_lists(lists)
    table["n_bytes"] = file_sizes(table.file)
    key = shards_key(table, utts_per_shard, seed)
    order = np.random.default_rng(seed).permutation(len(table))
    table = table.iloc[order].reset_index(drop=True)
    starts = range(0, len(table), utts_per_shard)
    parts = [table[i : i + utts_per_shard] for i in starts]
    paths = [Path(out) / f"{key}-{i:06d}.tar" for i in range(len(parts))]
    warn_of_others(out, paths)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(write_shard, paths, parts)
        done = list(tqdm(done, total=len(parts), desc="shards", disable=None))
    write_index(Path(out) / INDEX, paths, parts, lists_hash(lists))
    return Sharded(sum(done), len(done) - sum(done), len(table))


def read_lists(lists):
    """Rows of prepared lists, with the whole path of each file.

    Arguments
    ---------
    lists : dict
        Folder of the audio by path of the list.

    Returns
    -------
    pandas.DataFrame
        ID, path, spk_id, duration_s and file.
    """
    tables = []
    for path, folder in lists.items():
        if not path.is_file():
            raise ShardError(f"{path}: no such list; prepare a training first")
        table = read_table(path)[COLUMNS]
        table["file"] = [os.path.join(folder, p) for p in table.path]
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    if table.empty:
        raise ShardError(f"{path}: lists no utterances; prepare it again")
    return table


def file_sizes(files):
    """Bytes of each file.

    Arguments
    ---------
    files : iterable of str
        Paths.

    Returns
    -------
    list of int
        In their order.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            return list(pool.map(os.path.getsize, files, chunksize=1000))
        except OSError as error:
            raise ShardError(
                f"{error.filename}: {error.strerror}; correct the audio "
                "folder, or prepare the training again"
            ) from error


def shards_key(table, utts_per_shard, seed):
    """What tells these shards from all others.

    Arguments
    ---------
    table : pandas.DataFrame
        Rows of ``read_lists``, with n_bytes.
    utts_per_shard, seed : int
        As ``make_shards`` takes them.

    Returns
    -------
    str
        Twelve hexadecimal digits.
    """
    rows = table[[*COLUMNS, "n_bytes"]].to_csv(index=False)
    text = f"{FORMAT}\n{utts_per_shard}\n{seed}\n{rows}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def warn_of_others(out, paths):
    """Say which shards in the folder belong to something else."""
    others = {*Path(out).glob("*.tar")} - {*paths}
    if others:
        logger.warning(
            "%s holds %d other shards, such as %s: remove them if no index "
            "names them any more",
            out,
            len(others),
            min(others).name,
        )


def write_shard(path, rows):
    """Write a shard, unless it stands; return whether it was written."""
    if path.is_file():
        return False
    write_whole(path, partial(write_tar, rows=rows))
    return True


def write_tar(path, rows):
    """Write a tar file of json and audio of each row.

    Arguments
    ---------
    path : str or Path
        File to write.
    rows : pandas.DataFrame
        Rows of ``read_lists``; their index numbers the utterances.
    """
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for number, row in zip(rows.index, rows.to_dict("records")):
            name = sample_name(number)
            facts = json.dumps({key: row[key] for key in COLUMNS}).encode()
            add(tar, f"{name}.json", io.BytesIO(facts), len(facts))
            suffix = Path(row["path"]).suffix.lower()
            try:
                with open(row["file"], "rb") as file:
                    add(tar, name + suffix, file, row["n_bytes"])
            except OSError as error:
                raise ShardError(
                    f"{row['file']}: cannot be packed ({error}): look at it, "
                    f"and at the space for {path}, then run this again"
                ) from error


def add(tar, name, file, n_bytes):
    """Add an open file, alike on every machine."""
    member = tarfile.TarInfo(name)
    member.size = n_bytes
    tar.addfile(member, file)


def write_index(path, shards, parts, lists):
    """Write which shards there are, and of which lists."""
    index = {
        "lists": lists,
        "shards": [
            {
                "name": shard.name,
                "n_utts": len(part),
                "n_bytes": shard.stat().st_size,
            }
            for shard, part in zip(shards, parts)
        ],
    }
    write_whole(path, json.dumps(index, indent=1) + "\n")


def main(argv=None):
    """Run make_shards on command line arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("save_folder", help="holds train.csv")
    parser.add_argument("audio_folder", help="its paths are relative to it")
    parser.add_argument("out")
    parser.add_argument("--utts_per_shard", type=int, default=2000)
    parser.add_argument(
        "--unlabelled_folder", help="packs unlabelled.csv of save_folder too"
    )
    parser.add_argument("--seed", type=int, default=1234)
    args = parser.parse_args(argv)
    try:
        sharded = make_shards(**vars(args))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(
        f"{sharded.n_written} shards written, {sharded.n_kept} kept, "
        f"{sharded.n_utts} utterances; shards: {args.out}"
    )
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main())
