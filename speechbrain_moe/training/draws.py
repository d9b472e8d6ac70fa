"""Random numbers that a killed training finds again.

 * what is drawn for an utterance follows from seed, epoch and its name; what
   is drawn in a step, from seed, epoch, step and process; the order of the
   utterances, from seed and epoch
 * so that nothing needs to be kept in a checkpoint, and neither workers nor
   the way that data is stored change a draw

Authors
 * The speechbrain_moe developers 2026
"""

import hashlib
import random

import numpy as np
import torch
from torch.utils.data import Sampler


class Draws:
    """Generators of the current epoch, one for each name.

    Arguments
    ---------
    seed : int
        Seed of the training.

    Example
    -------
    >>> draws = Draws(seed=1234)
    >>> def draw():
    ...     return torch.rand(1, generator=draws.of("a.wav")).item()
    >>> before = draw()
    >>> draw() == before
    True
    >>> draws.epoch = 2
    >>> draw() == before
    False
    """

    def __init__(self, seed):
        self.seed = seed
        self.epoch, self.step = 1, 0

    def of(self, *names):
        """A generator for what is drawn under a name.

        Arguments
        ---------
        *names : str or int
            The name.

        Returns
        -------
        torch.Generator
            On the CPU; the same numbers whenever it is asked for in the
            same epoch.
        """
        seed = draw_seed(self.seed, self.epoch, *names)
        return torch.Generator().manual_seed(seed)


class DrawnOrder(Sampler):
    """The order of a dataset's items in the current epoch.

    The same in every process; under torchrun, SpeechBrain gives each of
    them its share.

    Arguments
    ---------
    dataset : Dataset
        The items.
    draws : Draws
        Says which seed and epoch it is.

    Example
    -------
    >>> order = DrawnOrder(["a", "b", "c"], Draws(seed=1234))
    >>> sorted(order)
    [0, 1, 2]
    """

    def __init__(self, dataset, draws):
        self.dataset, self.draws = dataset, draws

    def __len__(self):
        return len(self.dataset)

    def __iter__(self):
        generator = self.draws.of("order")
        return iter(torch.randperm(len(self), generator=generator).tolist())


def draw_seed(*names):
    """A seed that follows from names.

    Arguments
    ---------
    *names : str or int
        Anything that reads the same in another process.

    Returns
    -------
    int
        From 0 to 2**63 - 1.

    Example
    -------
    >>> draw_seed(1234, 1, "a") == draw_seed(1234, 1, "b")
    False
    """
    text = "\0".join(map(str, names)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def seed_step(*names):
    """Seed what layers and augmentation draw from, in this process.

    Arguments
    ---------
    *names : str or int
        What names the step, such as seed, epoch, step and process.
    """
    seed = draw_seed(*names)
    torch.manual_seed(seed)  # every device
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - augmentations may use it
