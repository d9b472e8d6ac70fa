#!/usr/bin/env python3
"""Embed a list of files, in shards, by any number of processes.

    python extract.py <training or package folder> <list> <audio folder> \\
        --out <folder>
    torchrun --nproc_per_node 2 extract.py ...
    python extract.py ... --process 3 --n_processes 8

 * the list is a csv with a column path, or one path a line, relative to the
   audio folder
 * run it again after a crash: finished shards are kept
 * each shard is an npz with paths, embeddings, duration_s, magnitude,
   entropy and agreement; what cannot be used is listed in broken.csv

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import os
import sys
from pathlib import Path

import pandas as pd

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import write_whole
from speechbrain_moe.inference.building import is_package
from speechbrain_moe.inference.embedding_shards import read_shard
from speechbrain_moe.inference.export import load_encoder
from speechbrain_moe.inference.file_lists import read_list
from speechbrain_moe.inference.sharded_extraction import (
    SHARD_SIZE,
    lacking_shards,
    make_shards,
    plan_shards,
    share_of_process,
)


def device_of_process(device):
    """The device of this process: "cuda" is one GPU for each."""
    if device != "cuda":
        return device
    return f"cuda:{os.environ.get('LOCAL_RANK', 0)}"


def write_broken(out, broken):
    """Write broken.csv.

    Arguments
    ---------
    out : str or Path
        Folder of the shards.
    broken : dict
        Path and reason of each file that could not be used.
    """
    table = pd.DataFrame({"path": broken.keys(), "reason": broken.values()})
    write_whole(
        Path(out) / "broken.csv",
        table.to_csv(index=False, lineterminator="\n"),
    )


def extract(given):
    """Make this process's shards; the last to finish lists broken files.

    Arguments
    ---------
    given : argparse.Namespace
        Arguments of the command line.

    Returns
    -------
    str
        What was done, for people.

    Raises
    ------
    InputError
        If anything given cannot be used.
    """
    share = share_of_process(given.process, given.n_processes)
    paths = read_list(given.list)
    encoder = load_encoder(
        given.source,
        device_of_process(given.device),
        allow_code=not is_package(given.source),
    )
    task = encoder, paths, given.audio_folder, given.out
    size = given.shard_size
    made = make_shards(*task, share, size, given.batch_size)
    said = f"process {share.process} of {share.n_processes}: {len(made)} made"
    lacking = lacking_shards(*task, size)
    if lacking:
        return f"{said}, {len(lacking)} of all shards still to come"
    broken = {}
    for file, _ in plan_shards(paths, given.out, size):
        broken |= read_shard(file).broken
    write_broken(given.out, broken)
    n_embedded = len(paths) - len(broken)
    return f"{said}; all done: {n_embedded} embedded, {len(broken)} broken"


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("source", help="training or package folder")
    add("list", help="csv with a column path, or one path a line")
    add("audio_folder", help="where the list's files are")
    add("--out", required=True, help="folder of the shards of this list")
    add("--device", default="cpu", help="cpu, cuda (one each) or cuda:0")
    add("--batch_size", type=int, default=1, help="utterances at a time")
    add("--shard_size", type=int, default=SHARD_SIZE, help="files a shard")
    add("--process", type=int, help="number of this process, from 0")
    add("--n_processes", type=int, help="how many; torchrun says both itself")
    try:
        print(extract(parser.parse_args()))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
