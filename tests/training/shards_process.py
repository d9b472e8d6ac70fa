"""One process of test_shards_ddp.py: python shards_process.py RANK FOLDER.

Writes the IDs of its batches to FOLDER/<rank>.json, by number of workers and
epoch.
"""

import json
import sys
from pathlib import Path

import torch.distributed as dist
from shard_files import shard_loader
from two_ranks import meet

from speechbrain_moe.training.draws import Draws


def main(rank, folder):
    meet(rank, folder)
    found = {"world_size": dist.get_world_size()}
    for num_workers in (0, 2):
        draws = Draws(seed=1)
        loader = shard_loader(folder, draws, num_workers)
        for draws.epoch in (1, 2):
            batches = []
            for batch in loader:
                dist.barrier()  # hangs if one process has more batches
                batches.append(batch.id)
            found[f"{num_workers} {draws.epoch}"] = batches
    (folder / f"{rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
