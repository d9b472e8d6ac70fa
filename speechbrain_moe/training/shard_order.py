"""Which utterance of the shards is read when, and by whom.

 * an epoch is cut into lanes, one for each worker of each process; a lane
   is a stretch of the shards in the epoch's order, so a worker reads its
   share of the bytes and no more
 * each utterance stands in one lane at most; all processes get the same
   number of whole batches, and what is over is drawn anew in each epoch
 * all follows from seed, epoch and the number of lanes

Authors
 * The speechbrain_moe developers 2026
"""

import numpy as np

from speechbrain_moe.training.draws import draw_seed


def epoch_order(sizes, n_wanted, seed):
    """Numbers of an epoch's utterances, shards in another order.

    Arguments
    ---------
    sizes : list of int
        Utterances of each shard.
    n_wanted : int
        Utterances wanted, at most all; the rest is left out by chance.
    seed : int
        What the order is drawn from.

    Returns
    -------
    numpy.ndarray
        Numbers [n_wanted]; rising within a shard.

    Example
    -------
    >>> sorted(epoch_order([2, 3], 5, seed=0).tolist())
    [0, 1, 2, 3, 4]
    """
    rng = np.random.default_rng(seed)
    numbers = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    order = np.concatenate([numbers[i] for i in rng.permutation(len(sizes))])
    return order[np.sort(rng.permutation(len(order))[:n_wanted])]


def lane_bounds(n_batches, n_lanes):
    """Where the lanes of a process start and end, in batches.

    Batch i of the process is the next one of lane i % n_lanes: the turns
    that a DataLoader gives its workers.

    Arguments
    ---------
    n_batches : int
        Batches of the process.
    n_lanes : int
        Its lanes.

    Returns
    -------
    list of int
        Lane i is from entry i to entry i + 1.

    Example
    -------
    >>> lane_bounds(5, 2)
    [0, 3, 5]
    """
    counts = [len(range(i, n_batches, n_lanes)) for i in range(n_lanes)]
    return [0, *np.cumsum(counts).tolist()]


def shuffled_within(n, n_shuffled, seed):
    """Order in which a shuffle buffer lets things out.

    Arguments
    ---------
    n : int
        Things that go in.
    n_shuffled : int
        Most that are ever held back.
    seed : int
        What the order is drawn from.

    Returns
    -------
    numpy.ndarray
        Places [n] from 0 to n - 1.

    Example
    -------
    >>> shuffled_within(4, n_shuffled=1, seed=0).tolist()
    [0, 1, 2, 3]
    """
    delays = np.random.default_rng(seed).uniform(0, n_shuffled, n)
    return np.argsort(np.arange(n) + delays, kind="stable")


def in_order(numbered, order):
    """Things of a stream in another order.

    Arguments
    ---------
    numbered : iterator
        Pairs of a number and a thing.
    order : iterable of int
        The numbers, each once.

    Yields
    ------
    object
        The things; what comes early is held back.

    Example
    -------
    >>> list(in_order(iter([(0, "a"), (1, "b")]), [1, 0]))
    ['b', 'a']
    """
    waiting = {}
    for number in order:
        while number not in waiting:
            waiting.update([next(numbered)])
        yield waiting.pop(number)


class LaneOrder:
    """Numbers that each lane of a process reads in an epoch.

    Arguments
    ---------
    sizes : list of int
        Utterances of each shard.
    batch_size : int
        Utterances of a batch of one process.
    n_shuffled : int
        Size of the shuffle buffer of a lane.
    process : int
        Number of the process.
    n_processes : int
        How many there are.
    """

    def __init__(self, sizes, batch_size, n_shuffled, process, n_processes):
        self.sizes, self.batch_size = sizes, batch_size
        self.n_shuffled = n_shuffled
        self.process, self.n_processes = process, n_processes
        self.n_batches = sum(sizes) // (n_processes * batch_size)

    def lane(self, seed, epoch, lane, n_lanes):
        """Numbers of one lane, as they are given out.

        Arguments
        ---------
        seed, epoch : int
            What they are drawn from.
        lane, n_lanes : int
            The lane, and how many the process has.

        Returns
        -------
        numpy.ndarray
            Numbers in the order of reading.
        numpy.ndarray
            Their places in the order of giving.
        """
        share = self.n_batches * self.batch_size
        order = epoch_order(
            self.sizes,
            self.n_processes * share,
            draw_seed(seed, epoch, "shards"),
        )
        bounds = lane_bounds(self.n_batches, n_lanes)
        start, end = (bounds[i] * self.batch_size for i in (lane, lane + 1))
        numbers = order[self.process * share :][start:end]
        name = (seed, epoch, "lane", self.process, lane, n_lanes)
        return numbers, shuffled_within(
            len(numbers), self.n_shuffled, draw_seed(*name)
        )
