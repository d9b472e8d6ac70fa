"""New trial lists, made from files and the speakers they belong to.

 * even over speakers and speaker pairs; no trial comes twice
 * the order in which the files were found does not matter: they are sorted,
   then every choice is made by one seed

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import logging

import numpy as np

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.trials import Trials

logger = logging.getLogger(__name__)


def make_trials(
    paths, speakers, n_per_class: int, seed: int = 0, groups=None
) -> Trials:
    """Make a seeded list that is even over speakers and speaker pairs.

    Target trials are shared out over speakers with two files or more,
    nontarget trials over pairs of speakers: their numbers differ by one at
    most while a speaker (or pair) has trials left. No unordered pair of
    files comes twice, no file meets itself. If fewer than n_per_class
    exist, all are taken and the log says so. Targets stand first.

    Arguments
    ---------
    paths : sequence of str
        Distinct relative paths. Their order does not matter.
    speakers : sequence of str
        Speaker of each path.
    n_per_class : int
        Target trials wanted, and nontarget trials wanted, >= 1.
    seed : int
        Seed of every choice.
    groups : sequence of str, optional
        A label per path, the same for all files of a speaker (gender, age
        class). Nontarget trials then stay within a group, which is harder.

    Returns
    -------
    Trials
        labels [N] int64, enrol and test.

    Raises
    ------
    InputError
        If lengths differ, a path comes twice, n_per_class is below 1, a
        speaker is in two groups, or one of the classes cannot be made.

    Example
    -------
    >>> paths = ["a/1.wav", "a/2.wav", "b/1.wav"]
    >>> trials = make_trials(paths, ["a", "a", "b"], n_per_class=1)
    >>> trials.labels.tolist()
    [1, 0]
    """
    paths, speaker_ids, groups = _checked_files(
        paths, speakers, n_per_class, groups
    )
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(paths))
    # files of speaker s, shuffled: files[first[s]], n_files[s] of them
    files = shuffled[np.argsort(speaker_ids[shuffled], kind="stable")]
    n_files = np.bincount(speaker_ids)
    first = np.cumsum(n_files) - n_files
    targets = _target_files(n_files, n_per_class, rng)
    nontargets = _nontarget_files(n_files, groups, n_per_class, rng)
    sides = [
        files[first[np.concatenate([a, b])] + np.concatenate([i, j])]
        for (a, i), (b, j) in zip(targets, nontargets)
    ]
    labels = np.zeros(len(sides[0]), dtype=np.int64)
    labels[: len(targets[0][0])] = 1
    return Trials(labels, *([paths[i] for i in side] for side in sides))


def _checked_files(paths, speakers, n_per_class, groups):
    """Return sorted paths, a speaker number each, a group per speaker."""
    paths, speakers = list(paths), list(speakers)
    groups = [0] * len(paths) if groups is None else list(groups)
    if not len(paths) == len(speakers) == len(groups):
        raise InputError(
            f"{len(paths)} paths, {len(speakers)} speakers and "
            f"{len(groups)} groups; give one of each per file"
        )
    if n_per_class < 1:
        raise InputError(f"n_per_class is {n_per_class}; give 1 or more")
    order = sorted(range(len(paths)), key=paths.__getitem__)
    paths = [paths[i] for i in order]
    for path, following in zip(paths, paths[1:]):
        if path == following:
            raise InputError(f"{path} comes twice; give each file once")
    names, ids = np.unique([speakers[i] for i in order], return_inverse=True)
    return (
        paths,
        ids,
        _group_per_speaker(names, ids, [groups[i] for i in order]),
    )


def _group_per_speaker(names, speaker_ids, groups):
    """Return the group number of each speaker; refuse two for one."""
    group_ids = np.unique(groups, return_inverse=True)[1]
    per_speaker = np.zeros(len(names), dtype=np.int64)
    per_speaker[speaker_ids] = group_ids
    wrong = per_speaker[speaker_ids] != group_ids
    if wrong.any():
        name = names[speaker_ids[np.argmax(wrong)]]
        raise InputError(f"speaker {name} is in two groups; give one each")
    return per_speaker


def _target_files(n_files, n_wanted, rng):
    """Return two sides (speaker, file of that speaker) of the targets."""
    n_pairs = n_files * (n_files - 1) // 2
    if not n_pairs.any():
        raise InputError(
            "no speaker has two files, so there are no target trials; give "
            "more files per speaker"
        )
    _say_if_short("target", n_wanted, int(n_pairs.sum()))
    speaker, turn = _turns(_share_out(n_wanted, n_pairs, rng))
    left, right = _circle_pair(turn, n_files[speaker])
    return (speaker, left), (speaker, right)


def _nontarget_files(n_files, groups, n_wanted, rng):
    """Return two sides (speaker, file of that speaker) of the nontargets."""
    enrol, test = _speaker_pairs(groups, n_wanted, rng)
    if len(enrol) == 0:
        raise InputError(
            f"{len(n_files)} speakers, no two of them in one group, so "
            "there are no nontarget trials; give two speakers per group"
        )
    capacity = n_files[enrol] * n_files[test]
    if len(enrol) < n_wanted:
        _say_if_short("nontarget", n_wanted, int(capacity.sum()))
    pair, turn = _turns(_share_out(n_wanted, capacity, rng))
    # begin anywhere: pairs used once must not all show the same files
    turn = (turn + rng.integers(capacity)[pair]) % capacity[pair]
    enrol, test = enrol[pair], test[pair]
    left = turn % n_files[enrol]
    right = (left + turn // n_files[enrol]) % n_files[test]
    return (enrol, left), (test, right)


def _speaker_pairs(groups, n_wanted, rng):
    """Return up to n_wanted pairs of speakers within groups, evenly."""
    members = [
        rng.permutation(np.flatnonzero(groups == group))
        for group in np.unique(groups)
    ]
    sizes = np.array([len(speakers) for speakers in members], dtype=np.int64)
    n_pairs = sizes * (sizes - 1) // 2
    total = int(n_pairs.sum())
    if n_wanted < total:  # in proportion, and what rounding left over
        quota = n_pairs * n_wanted // total
        quota += _share_out(n_wanted - quota.sum(), n_pairs - quota, rng)
    else:
        quota = n_pairs
    sides = [
        [speakers[side] for side in _circle_pair(np.arange(n), len(speakers))]
        for speakers, n in zip(members, quota)
    ]
    return tuple(np.concatenate(side) for side in zip(*sides))


def _circle_pair(turn, size):
    """Return the turn-th unordered pair of 0..size-1, neighbours first.

    Counts (0, 1), (1, 2) .. (size-1, 0), then pairs two apart, and so on:
    every pair once, and any first part of it uses all items evenly.
    """
    left = turn % size
    return left, (left + turn // size + 1) % size


def _share_out(n_wanted, capacity, rng):
    """Share n_wanted over places as evenly as their capacity allows."""
    if n_wanted >= capacity.sum():
        return capacity
    low, high = 0, int(capacity.max())  # highest level that is affordable
    while high - low > 1:
        middle = (low + high) // 2
        fits = np.minimum(capacity, middle).sum() <= n_wanted
        low, high = (middle, high) if fits else (low, middle)
    shares = np.minimum(capacity, low)
    open_places = np.flatnonzero(capacity > low)
    n_left = int(n_wanted - shares.sum())
    shares[rng.permutation(open_places)[:n_left]] += 1
    return shares


def _turns(shares):
    """Return the place of each item and its number 0.. within the place."""
    place = np.repeat(np.arange(len(shares)), shares)
    starts = np.cumsum(shares) - shares
    return place, np.arange(len(place)) - starts[place]


def _say_if_short(kind, n_wanted, n_exist):
    """Log that fewer trials exist than were asked for."""
    if n_exist < n_wanted:
        logger.warning(
            "%d %s trials wanted, only %d exist: all are taken",
            n_wanted,
            kind,
            n_exist,
        )
