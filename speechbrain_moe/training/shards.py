"""Training from shards: tar files on any storage, read from end to end.

 * items and their draws are those of training from files
 * each utterance once an epoch over all processes and workers, but for what
   does not fill a batch of all processes
 * a resumed epoch starts with the very next batch: what was given out is
   not decoded, shards that were used up are not opened
 * a position in an epoch holds for as many workers and processes as before

Authors
 * The speechbrain_moe developers 2026
"""

import io
import itertools
import json
import tarfile
from functools import partial
from pathlib import Path

import numpy as np
import torch.distributed as dist
from speechbrain.dataio.batch import PaddedBatch
from speechbrain.utils.checkpoints import (
    mark_as_loader,
    mark_as_saver,
    register_checkpoint_hooks,
)
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from speechbrain_moe.errors import AudioError, HyperparameterError
from speechbrain_moe.training.shard_index import opener
from speechbrain_moe.training.shard_order import LaneOrder, in_order

MEND = "copy it again, or remove it and run make_shards.py"


class ShardDataset(IterableDataset):
    """Crops of utterances in shards.

    Arguments
    ---------
    index : ShardIndex
        What ``read_index`` returned.
    make_crop : CropMaker
        What makes an item of a sample; its draws tell the epoch.
    batch_size : int
        Utterances of a batch, which a lane is a multiple of.
    folder : str or Path
        Folder that the list's paths are relative to, as the teacher knows
        it; nothing is read there.
    unlabelled_folder : str or Path, optional
        The same for speech without a speaker.
    n_shuffled : int
        Encoded utterances that a worker holds back to mix them.
    """

    def __init__(
        self,
        index,
        make_crop,
        batch_size,
        folder,
        unlabelled_folder=None,
        n_shuffled=1000,
    ):
        self.index, self.make_crop = index, make_crop
        self.folders = {True: folder, False: unlabelled_folder}
        together = dist.is_initialized()
        self.order = LaneOrder(
            index.sizes,
            batch_size,
            n_shuffled,
            process=dist.get_rank() if together else 0,
            n_processes=dist.get_world_size() if together else 1,
        )
        self.first_batch = 0
        self.ends = np.cumsum(index.sizes)

    def __len__(self):
        """Utterances that one process gets in an epoch."""
        return self.order.n_batches * self.order.batch_size

    def __iter__(self):
        """Items of this worker's lane, from first_batch on."""
        worker = get_worker_info()
        n_lanes = worker.num_workers if worker else 1
        batch = self.first_batch + (worker.id if worker else 0)
        draws = self.make_crop.draws
        numbers, places = self.order.lane(
            draws.seed, draws.epoch, batch % n_lanes, n_lanes
        )
        places = places[batch // n_lanes * self.order.batch_size :]
        samples = self._samples(numbers[np.sort(places)])
        yield from map(self._item, in_order(samples, numbers[places].tolist()))

    def _samples(self, numbers):
        """Pairs of a number and its sample, shard after shard."""
        shards = np.searchsorted(self.ends, numbers, side="right")
        pairs = zip(shards.tolist(), numbers.tolist())
        for shard, group in itertools.groupby(pairs, lambda pair: pair[0]):
            wanted = [number for _, number in group]
            yield from read_shard(self.index.urls[shard], wanted)

    def _item(self, sample):
        """The item of a sample."""
        row, audio = json.loads(sample["json"]), sample["audio"]
        spk_id = row["spk_id"]
        path = str(Path(self.folders[bool(spk_id)] or "") / row["path"])
        file = io.BytesIO(audio)
        file.name = f"{path} (in {sample['url']})"
        made = self.make_crop(row["ID"], path, row["duration_s"], spk_id, file)
        return {"id": row["ID"], **dict(zip(self.make_crop.items, made))}


@register_checkpoint_hooks
class ShardLoader(DataLoader):
    """Batches from shards, with a position that a checkpoint holds.

    Add it to the checkpointer: ``Brain.fit`` does so with loaders that it
    made itself alone.

    Arguments
    ---------
    dataset : ShardDataset
        Where the items come from.
    num_workers : int
        Processes that read; 0 reads in this one.
    """

    def __init__(self, dataset, num_workers=0):
        super().__init__(
            dataset,
            batch_size=dataset.order.batch_size,
            drop_last=True,
            num_workers=num_workers,
            collate_fn=partial(PaddedBatch, padded_keys=["sig"]),
        )
        self.n_given = self.resume_at = 0

    def __iter__(self):
        """Batches of the epoch that the draws are at."""
        self.dataset.first_batch = self.n_given = self.resume_at
        self.resume_at = 0
        for batch in super().__iter__():
            self.n_given += 1
            yield batch

    def _fixed(self):
        """What a position in an epoch depends on."""
        order = self.dataset.order
        return {
            "num_workers": self.num_workers,
            "batch_size": order.batch_size,
            "n_processes": order.n_processes,
            "n_shuffled": order.n_shuffled,
            "n_utterances": sum(order.sizes),
        }

    @mark_as_saver
    def save(self, path):
        """Write the position in the epoch.

        Arguments
        ---------
        path : str or Path
            File to write.
        """
        state = {"n_given": self.n_given, **self._fixed()}
        Path(path).write_text(json.dumps(state), encoding="utf-8")

    @mark_as_loader
    def load(self, path, end_of_epoch):
        """Go on from a position in an epoch; after one, from the start.

        Arguments
        ---------
        path : str or Path
            What ``save`` wrote.
        end_of_epoch : bool
            Whether the epoch was over.

        Raises
        ------
        HyperparameterError
            If the position was one for other workers, processes or data.
        """
        if end_of_epoch:
            return
        before = json.loads(Path(path).read_text(encoding="utf-8"))
        for key, now in self._fixed().items():
            if before[key] != now:
                raise HyperparameterError(
                    f"{key} was {before[key]} when {path} was written, "
                    f"within an epoch, and is {now}: give {before[key]} "
                    "again, or remove the checkpoint"
                )
        self.resume_at = before["n_given"]


def read_shard(url, numbers):
    """Samples of a shard.

    Arguments
    ---------
    url : str
        Path or URL of the shard.
    numbers : list of int
        Utterances wanted, rising; others are passed over.

    Yields
    ------
    int
        Number of the utterance.
    dict
        ``json`` and ``audio`` (bytes, as in the shard), and ``url``.

    Raises
    ------
    AudioError
        If the shard cannot be read to the last one wanted; the message
        names it and what to do.
    """
    # Not at the top: webdataset is an extra
    opened = opener()
    from webdataset.tariterators import group_by_keys, tar_file_expander

    wanted = {sample_name(number) for number in numbers}
    n_found = 0
    try:
        with opened(url) as stream:
            files = tar_file_expander(
                [{"url": url, "stream": stream}],
                select_files=lambda name: name.split(".")[0] in wanted,
            )
            for sample in itertools.islice(group_by_keys(files), len(wanted)):
                number = int(sample.pop("__key__"))
                yield number, unpack(sample)
                n_found += 1
    except (tarfile.TarError, OSError, ValueError) as error:
        # webdataset adds what it was reading to the error's arguments
        reason = getattr(error, "strerror", None) or error.args[0]
        raise AudioError(f"{url}: {reason}; {MEND}") from error
    if n_found < len(wanted):
        raise AudioError(
            f"{url}: {len(wanted) - n_found} of {len(wanted)} utterances "
            f"are not there; {MEND}"
        )


def sample_name(number):
    """Name of an utterance in its shard, without suffix.

    Arguments
    ---------
    number : int
        Number of the utterance.

    Returns
    -------
    str
        What webdataset calls the key.

    Example
    -------
    >>> sample_name(12)
    '000000012'
    """
    return f"{number:09d}"


def unpack(sample):
    """A sample of webdataset, its audio under one name."""
    url = sample.pop("__url__")
    row = sample.pop("json", None)
    audio = [sample[key] for key in sample if not key.startswith("__")]
    if row is None or len(audio) != 1:
        raise ValueError("an utterance lacks its json or its audio")
    return {"json": row, "audio": audio[0], "url": url}
