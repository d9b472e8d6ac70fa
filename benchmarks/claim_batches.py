"""Training batches of stored features, with the teacher's embeddings.

 * an utterance, then one of its speeds, then one of its copies is drawn,
   then a crop; the same seed draws the same for every system
 * a changed speed is a changed voice: a speaker of its own, and none that
   the teacher knows

Authors
 * The speechbrain_moe developers 2026
"""

from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import IterableDataset

from speechbrain_moe.training.teacher import teacher_rows

SPEEDS = (1.0, 0.9, 1.1)


class Batch(NamedTuple):
    """What MoEBrain wants of a batch, and the group of each speaker."""

    feats: torch.Tensor
    spk_label: torch.Tensor
    id: list
    teacher: torch.Tensor
    has_teacher: torch.Tensor
    group: torch.Tensor

    def to(self, device):
        """The same on a device."""
        moved = [v.to(device) if torch.is_tensor(v) else v for v in self]
        return Batch(*moved)


class Crops(IterableDataset):
    """An epoch of batches.

    Arguments
    ---------
    feats : numpy.ndarray
        All features [frames, mels].
    index : pandas.DataFrame
        path, speed, start, n of each copy.
    labels, groups : dict
        Speaker number and group of each labelled path to train on.
    unlabelled : list of str
        Paths that train by the teacher alone.
    teacher : Teacher
        Embeddings by path.
    hparams : dict
        batch_size, n_unlabelled, crop_frames, steps_per_epoch, seed.
    """

    def __init__(
        self, feats, index, labels, groups, unlabelled, teacher, hparams
    ):
        self.feats, self.labels, self.groups = feats, labels, groups
        self.hparams, self.teacher = hparams, teacher
        self.n_speakers = len(set(labels.values()))
        self.copies = {}
        rows = zip(index.path, index.speed, index.start, index.n)
        wanted = {*labels, *unlabelled}
        for path, speed, start, n in rows:
            if path in wanted:
                at = self.copies.setdefault(path, {}).setdefault(speed, [])
                at.append((start, n))
        self.row_of = teacher_rows(teacher, self.copies)
        n_unlabelled = hparams["n_unlabelled"]
        self.rng = np.random.default_rng(hparams["seed"])
        self.draws = [
            (shuffled(sorted(labels), self.rng), n_labelled)
            for n_labelled in [hparams["batch_size"] - n_unlabelled]
        ]
        if n_unlabelled:
            self.draws.append((shuffled(unlabelled, self.rng), n_unlabelled))

    def __iter__(self):
        for _ in range(self.hparams["steps_per_epoch"]):
            paths = [next(d) for d, n in self.draws for _ in range(n)]
            yield Batch(*self._columns([self._draw(p) for p in paths]))

    def _draw(self, path):
        """One crop: features, label, path, row of the teacher, group."""
        by_speed = self.copies[path]
        speed = SPEEDS[self.rng.integers(len(by_speed))]
        copies = by_speed[speed]
        start, n = copies[self.rng.integers(len(copies))]
        length = self.hparams["crop_frames"]
        start += self.rng.integers(max(1, n - length + 1))
        crop = self.feats[start : start + min(n, length)]
        label = self.labels.get(path, -1)
        if label >= 0:
            label += SPEEDS.index(speed) * self.n_speakers
        row = self.row_of.get(path, -1) if speed == 1.0 else -1
        crop = np.resize(crop, (length, crop.shape[1]))
        return crop, label, path, row, self.groups.get(path, 0)

    def _columns(self, rows):
        """The fields of a Batch."""
        crops, labels, paths, teacher, groups = zip(*rows)
        teacher = np.array(teacher)
        return (
            torch.from_numpy(np.stack(crops)).float(),
            torch.tensor(labels),
            list(paths),
            torch.from_numpy(self.teacher.embeddings[teacher]),
            torch.from_numpy(teacher >= 0),
            torch.tensor(groups),
        )


def shuffled(items, rng):
    """Each item once, in a new order each time, for ever."""
    while True:
        for i in rng.permutation(len(items)):
            yield items[i]
