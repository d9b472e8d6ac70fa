"""Which embeddings are of one speaker, when nobody is enrolled.

 * average linkage on the cosine distance, cut at a distance, or where as
   many speakers as wanted stand apart
 * what is left over, mostly windows in which two people speak, makes no
   speaker of its own; neither does who has less than 3 % of the speech
 * a long recording is clustered block by block, and then the blocks' groups
   are: memory grows with the square of a block, not of the recording

Shape letters: N embeddings, G groups, K speakers, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from speechbrain_moe.errors import InputError

# All chosen on speakers held out of training: benchmarks/diarization.py
MAX_DISTANCE = 0.7  # 1 - cos, the mean over two groups of one speaker
MIN_COUNT, MIN_SHARE = 4, 0.03  # embeddings of a speaker; less is left over
BLOCK = 2000


def find_speakers(embeddings, n_speakers=None, max_distance=MAX_DISTANCE):
    """Find the speakers behind embeddings.

    Arguments
    ---------
    embeddings : np.ndarray
        Rows of length 1, [N, D], N > 0.
    n_speakers : int, optional
        How many there are; by default that is found.
    max_distance : float
        Mean of 1 - cos up to which two groups are of one speaker; has no
        effect where n_speakers is given.

    Returns
    -------
    np.ndarray
        The speakers' mean embeddings [K, D], length 1, those with the most
        embeddings first.

    Raises
    ------
    InputError
        If n_speakers is below 1, or more than there are groups to tell
        apart, or max_distance is not above 0.

    Example
    -------
    >>> voices = np.repeat(np.eye(2), [6, 5], axis=0)
    >>> find_speakers(voices).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    >>> len(find_speakers(voices, n_speakers=1))
    1
    """
    check_settings(n_speakers, max_distance)
    embeddings = np.asarray(embeddings, dtype=np.float64)
    means, counts = condense(embeddings, n_speakers, max_distance)
    if n_speakers is None:
        labels = flat(tree_of(means), max_distance)
        groups = large_groups(labels, counts, least_count(counts))
    else:
        labels, groups = cut_into(means, counts, n_speakers)
    sums = [
        (means * counts[:, None])[labels == group].sum(0) for group in groups
    ]
    return np.stack([total / np.linalg.norm(total) for total in sums])


def check_settings(n_speakers, max_distance):
    """Refuse settings that fit no recording.

    Arguments
    ---------
    n_speakers, max_distance
        As for ``find_speakers``.

    Raises
    ------
    InputError
        If n_speakers is no whole number from 1 on, or max_distance is not
        above 0.

    Example
    -------
    >>> check_settings(None, 0.5)
    """
    if not max_distance > 0:
        raise InputError(f"max_distance is {max_distance}; give one above 0")
    if n_speakers is None:
        return
    if not isinstance(n_speakers, int) or n_speakers < 1:
        raise InputError(
            f"n_speakers is {n_speakers}; give a whole number from 1 on, or "
            "leave it out"
        )


def condense(embeddings, n_speakers, max_distance):
    """Embeddings as they are, or groups of them where there are many.

    Arguments
    ---------
    embeddings : np.ndarray
        Rows of length 1, [N, D].
    n_speakers, max_distance
        As for ``find_speakers``. Where speakers are counted, groups are as
        fine as memory allows: voices that are alike must not be one yet.

    Returns
    -------
    means : np.ndarray
        Mean of each group [G, D]; the product of two is the mean cosine
        between their embeddings.
    counts : np.ndarray
        Embeddings in each [G].
    """
    if len(embeddings) <= BLOCK:
        return embeddings, np.ones(len(embeddings))
    means, counts = [], []
    n_blocks = -(-len(embeddings) // BLOCK)
    for block in np.array_split(embeddings, n_blocks):
        tree = tree_of(block)
        if n_speakers is None:
            labels = flat(tree, max_distance)
        else:
            most = max(2 * n_speakers, BLOCK // n_blocks)
            labels = fcluster(tree, most, "maxclust")
        for label in np.unique(labels):
            means.append(block[labels == label].mean(0))
            counts.append(np.count_nonzero(labels == label))
    return np.stack(means), np.array(counts, dtype=np.float64)


def tree_of(means):
    """Average linkage of groups, as scipy's ``linkage`` gives it."""
    if len(means) == 1:
        return np.zeros((0, 4))
    distances = np.maximum(1 - means @ means.T, 0)  # rounding
    np.fill_diagonal(distances, 0)
    return linkage(squareform(distances, checks=False), "average")


def flat(tree, distance):
    """Labels from 1 on, of a tree cut at a distance."""
    if not len(tree):
        return np.ones(1, dtype=int)
    return fcluster(tree, distance, "distance")


def least_count(counts):
    """Embeddings that a speaker has at the least."""
    return max(MIN_COUNT, MIN_SHARE * counts.sum())


def large_groups(labels, counts, least):
    """Labels with at least so many embeddings, or else the largest one.

    Example
    -------
    >>> large_groups(np.array([1, 2, 2, 2]), np.ones(4), least=2).tolist()
    [2]
    """
    sizes = np.bincount(labels, counts)
    order = np.argsort(-sizes, kind="stable")
    return order[: max(1, np.count_nonzero(sizes >= least))]


def cut_into(means, counts, n_speakers):
    """The highest cut at which so many large groups stand apart.

    Arguments
    ---------
    means : np.ndarray
        [G, D].
    counts : np.ndarray
        Embeddings in each [G].
    n_speakers : int
        Groups wanted.

    Returns
    -------
    labels : np.ndarray
        [G].
    groups : np.ndarray
        The labels of the speakers, the largest first.

    Raises
    ------
    InputError
        If there cannot be as many.
    """
    if n_speakers > len(means):
        raise InputError(
            f"n_speakers is {n_speakers}; give 1 to {len(means)} for as much "
            "speech as there is, or leave it out"
        )
    labels, groups = next(
        (labels, groups)
        for labels, groups in cuts(tree_of(means), counts)
        if len(groups) >= n_speakers
    )
    return labels, groups[:n_speakers]


def cuts(tree, counts):
    """Labels and large groups, cut lower and lower; then any group counts."""
    merges = np.unique(tree[:, 2])[::-1]
    below = [np.inf, *np.nextafter(merges, -np.inf)]
    for least in (least_count(counts), 1):
        for distance in below:
            labels = flat(tree, distance)
            yield labels, large_groups(labels, counts, least)
