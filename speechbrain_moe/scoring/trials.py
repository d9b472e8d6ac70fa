"""Trial lists: read, write, check, make, and score by cosine.

 * the file form is VoxCeleb's: "label enrol test", 1 for the same speaker
 * errors name the file, the line and what to do, before anything is scored
 * made lists spread evenly over speakers and speaker pairs, hold no trial
   twice, and do not depend on the order in which the files were found
 * scoring is one gather and one product per block of trials, in float64

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechbrain_moe.errors import InputError

logger = logging.getLogger(__name__)

BLOCK = 50_000  # trials scored at a time: bounds memory, not speed


class TrialListError(InputError):
    """A trial list that cannot be used; the message says how to mend it.

    Example
    -------
    >>> raise TrialListError("veri_test2.txt:3: label 2")
    Traceback (most recent call last):
    ...
    speechbrain_moe.scoring.trials.TrialListError: veri_test2.txt:3: label 2
    """


class Trials(NamedTuple):
    """Comparisons to be made.

    Arguments
    ---------
    labels : numpy.ndarray
        1 for target, 0 for nontarget, [N] int64.
    enrol, test : list of str
        Relative paths of the two sides, N each.

    Example
    -------
    >>> Trials(np.array([1]), ["a/1.wav"], ["a/2.wav"]).enrol
    ['a/1.wav']
    """

    labels: np.ndarray
    enrol: list[str]
    test: list[str]


def read_trials(path) -> Trials:
    """Read a list with lines "label enrol test", as VoxCeleb's.

    Blank lines are skipped. A list with one class only is read.

    Arguments
    ---------
    path : str or Path
        Text file in UTF-8, for instance veri_test2.txt.

    Returns
    -------
    Trials
        labels [N] int64, enrol and test in the order of the file.

    Raises
    ------
    TrialListError
        If the file is missing, not text or empty, or a line is malformed;
        the message names file and line.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "trials.txt"
    >>> write_trials(path, Trials(np.array([0]), ["a/1.wav"], ["b/1.wav"]))
    >>> read_trials(path).test
    ['b/1.wav']
    """
    labels, enrol, test = [], [], []
    for number, line in enumerate(_lines(Path(path)), start=1):
        if line.strip():
            label, left, right = _parse_line(path, number, line)
            labels.append(label)
            enrol.append(left)
            test.append(right)
    if not labels:
        raise TrialListError(
            f"{path} holds no trials; wanted lines 'label enrol test'. "
            "Fetch or make the list again"
        )
    return Trials(np.array(labels, dtype=np.int64), enrol, test)


def write_trials(path, trials: Trials) -> None:
    """Write a list that read_trials reads back, whole or not at all.

    Arguments
    ---------
    path : str or Path
        File to write; an older one is replaced at the end.
    trials : Trials
        Paths in it must not hold white space.

    Raises
    ------
    TrialListError
        If the sides differ in length, a label is not 0 or 1, or a path is
        empty or holds white space.

    Example
    -------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "trials.txt"
    >>> write_trials(path, Trials(np.array([0]), ["a/1.wav"], ["b/1.wav"]))
    >>> path.read_text()
    '0 a/1.wav b/1.wav\\n'
    """
    _check_sides(trials)
    for side in (*trials.enrol, *trials.test):
        if side.split() != [side]:
            raise TrialListError(
                f"the path {side!r} is empty or holds white space, which a "
                "trial list cannot; rename the file"
            )
    rows = zip(trials.labels, trials.enrol, trials.test)
    text = "".join(f"{int(row[0])} {row[1]} {row[2]}\n" for row in rows)
    path = Path(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        aside.write_text(text, encoding="utf-8", newline="\n")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def check_trial_files(
    trials: Trials, folder, folder_key: str = "data_folder"
) -> None:
    """Raise unless every file of the list stands in the folder.

    Arguments
    ---------
    trials : Trials
        Each distinct path in it is looked up once.
    folder : str or Path
        What the paths are relative to.
    folder_key : str
        Name of the yaml key that holds the folder, for the message.

    Raises
    ------
    TrialListError
        If the folder or a file is missing; names the first missing file,
        how many are missing and the key to correct.

    Example
    -------
    >>> trials = Trials(np.array([0]), ["a/1.wav"], ["b/1.wav"])
    >>> check_trial_files(trials, "/nowhere")
    Traceback (most recent call last):
    ...
    speechbrain_moe.scoring.trials.TrialListError: folder /nowhere ...
    """
    if not os.path.isdir(folder):
        raise TrialListError(
            f"folder {folder} does not exist; correct {folder_key}"
        )
    paths = dict.fromkeys([*trials.enrol, *trials.test])
    missing = [
        path for path in paths if not os.path.isfile(os.path.join(folder, path))
    ]
    if missing:
        raise TrialListError(
            f"{len(missing)} of {len(paths)} files of the trial list are "
            f"missing in {folder}, the first is {missing[0]}. Correct "
            f"{folder_key} (the paths of the list are relative to it) or "
            "unpack the missing files there"
        )


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


def trial_scores(embeddings, ids, trials: Trials) -> np.ndarray:
    """Score trials by the cosine of their two embeddings.

    Arguments
    ---------
    embeddings : array_like
        One row per file, any length, [U, D], any float type.
    ids : sequence of str
        Relative path of each row, U distinct ones.
    trials : Trials
        Both sides of every trial must be among ids.

    Returns
    -------
    numpy.ndarray
        Scores in [-1, 1], [N] float64.

    Raises
    ------
    InputError
        If shapes differ, an id comes twice, an embedding is zero or not
        finite, or a side of a trial has no embedding; names the file.

    Example
    -------
    >>> trials = Trials(np.array([1]), ["a/1.wav"], ["a/2.wav"])
    >>> trial_scores([[1.0, 0.0], [2.0, 0.0]], ["a/1.wav", "a/2.wav"], trials)
    array([1.])
    """
    _check_sides(trials)
    units = _unit_rows(embeddings, ids)
    rows = {path: row for row, path in enumerate(ids)}
    if len(rows) != len(ids):
        raise InputError(
            f"{len(ids) - len(rows)} ids come more than once; give one "
            "embedding per file"
        )
    enrol, test = (_rows_of(side, rows) for side in (trials.enrol, trials.test))
    scores = np.empty(len(enrol), dtype=np.float64)
    for start in range(0, len(enrol), BLOCK):
        block = slice(start, start + BLOCK)
        left, right = units[enrol[block]], units[test[block]]
        scores[block] = np.einsum("nd,nd->n", left, right)
    return np.clip(scores, -1.0, 1.0)  # rounding may step over by 1e-16


def _lines(path):
    """Return the lines of a text file, or say why there are none."""
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "missing"
        raise TrialListError(
            f"trial list {path} is {kind}; give the path of a text file "
            "with lines 'label enrol test'"
        )
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise TrialListError(
            f"trial list {path} is not UTF-8 text ({error}); is it still "
            "packed, or an audio file?"
        ) from error


def _parse_line(path, number, line):
    """Return label, enrol and test of one line."""
    fields = line.split()
    if len(fields) != 3:
        raise TrialListError(
            f"{path}:{number}: {len(fields)} fields in {line.strip()!r}; "
            "wanted three, 'label enrol test', and no spaces in paths"
        )
    if fields[0] not in ("0", "1"):
        raise TrialListError(
            f"{path}:{number}: label {fields[0]!r}; wanted 1 (same speaker) "
            "or 0 first, then the two paths"
        )
    return int(fields[0]), fields[1], fields[2]


def _check_sides(trials):
    """Refuse trials whose parts do not belong together."""
    lengths = tuple(len(part) for part in trials)
    if len(set(lengths)) != 1:
        raise TrialListError(
            f"{lengths[0]} labels, {lengths[1]} enrol and {lengths[2]} test "
            "paths; a trial has one of each"
        )
    if not np.isin(trials.labels, (0, 1)).all():
        raise TrialListError("labels must be 1 (target) or 0 (nontarget)")


def _unit_rows(embeddings, ids):
    """Return float64 rows of length one; name the file that has none."""
    rows = np.asarray(embeddings, dtype=np.float64)
    if rows.ndim != 2 or len(rows) != len(ids):
        raise InputError(
            f"embeddings have shape {rows.shape} for {len(ids)} ids; wanted "
            f"[{len(ids)}, D], one row per id"
        )
    # largest entry first: squares of tiny or huge entries would be 0 or Inf
    peaks = np.abs(rows).max(axis=1, initial=0.0)
    usable = np.isfinite(peaks) & (peaks > 0)
    if not usable.all():
        bad = int(np.argmin(usable))
        what = "zero" if peaks[bad] == 0 else "not finite (NaN or Inf)"
        raise InputError(
            f"the embedding of {ids[bad]} is {what} "
            f"({np.count_nonzero(~usable)} of {len(rows)} cannot be used); "
            "is the audio silent or broken? Mend or leave out the file"
        )
    rows = rows / peaks[:, None]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _rows_of(side, rows):
    """Return the row of each path, or name the first that has none."""
    missing = [path for path in dict.fromkeys(side) if path not in rows]
    if missing:
        raise InputError(
            f"{len(missing)} files of the trials have no embedding, the "
            f"first is {missing[0]}; embed them, or check that the ids are "
            "written as in the trial list"
        )
    return np.array([rows[path] for path in side], dtype=np.int64)


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
