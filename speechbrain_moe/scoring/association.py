"""Do routes go with an attribute of the utterances? Mutual information.

 * in nats; 0 when knowing the attribute says nothing about the route
 * utterances of one speaker are not independent, so the permutation test
   moves whole speakers where the attribute belongs to the speaker
 * where it varies within a speaker, only that variation is permuted
 * where it is another one for each speaker it is the speaker itself, and
   only utterances can change places
 * with few utterances mutual information is above 0 by chance alone; the
   mean over the permutations says by how much

Authors
 * The speechbrain_moe developers 2026
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from speechbrain_moe.errors import InputError


class Association(NamedTuple):
    """Mutual information of two labels, and what chance would give.

    Arguments
    ---------
    mutual_information : float
        In nats, >= 0.
    chance : float
        Its mean over the permutations, in nats.
    p_value : float
        Share of permutations, the observed one among them, that reach it.
    permuted : str
        ``speakers``: attributes changed places between whole speakers;
        ``within speakers``: between utterances of one speaker;
        ``utterances``: between all utterances.

    Example
    -------
    >>> Association(0.2, 0.01, 0.001, "speakers").p_value
    0.001
    """

    mutual_information: float
    chance: float
    p_value: float
    permuted: str


def mutual_information(table) -> float:
    """Give the mutual information of rows and columns of a count table.

    The plug-in estimate, sum p_ij log(p_ij / (p_i p_j)).

    Arguments
    ---------
    table : array_like
        Counts, >= 0 and not all 0, [n_rows, n_columns].

    Returns
    -------
    float
        In nats, from 0 to the smaller of the two entropies.

    Example
    -------
    >>> round(mutual_information([[5, 0], [0, 5]]), 4)  # log 2
    0.6931
    """
    joint = np.asarray(table, dtype=np.float64)
    joint = joint / joint.sum()
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    seen = joint > 0
    total = np.sum(joint[seen] * np.log(joint[seen] / apart[seen]))
    return max(0.0, float(total))  # rounding may step under by 1e-17


def permutation_association(
    routes, attribute, speakers, n_permutations: int = 1000, seed: int = 0
) -> Association:
    """Test whether routes and an attribute are independent.

    The statistic is the mutual information over all utterances. Speakers
    change places when the attribute is constant within each of them; else
    utterances of one speaker do, which tests independence given the
    speaker. An attribute that is another one for each speaker would be the
    same after either, so there all utterances change places: it is tested
    whether routes know the speaker, or what goes with it, such as the
    recording. p = (1 + reached) / (1 + n_permutations), as in Phipson and
    Smyth, "Permutation p-values should never be zero", 2010.

    Arguments
    ---------
    routes : array_like
        Expert of each utterance, [U].
    attribute : array_like
        Value of each utterance, [U]; leave out the unknown ones.
    speakers : sequence of str or int
        Speaker of each utterance, [U].
    n_permutations : int
        Draws, >= 1.
    seed : int
        Seed of the draws.

    Returns
    -------
    Association
        mutual_information, chance, p_value, permuted.

    Raises
    ------
    InputError
        If the three differ in length or are empty.

    Example
    -------
    >>> routes = [0, 0, 1, 1, 0, 0, 1, 1]
    >>> sexes = ["f", "f", "m", "m", "f", "f", "m", "m"]
    >>> who = ["a", "a", "b", "b", "c", "c", "d", "d"]
    >>> result = permutation_association(routes, sexes, who)
    >>> round(result.mutual_information, 3), result.permuted
    (0.693, 'speakers')
    """
    _check_lengths(routes, attribute, speakers)
    routes, attribute, speakers = (
        np.unique(np.asarray(labels), return_inverse=True)[1]
        for labels in (routes, attribute, speakers)
    )
    permuted, draw = _what_is_permuted(attribute, speakers)
    observed = mutual_information(_count(attribute, routes))
    rng = np.random.default_rng(seed)
    drawn = np.array(
        [
            mutual_information(_count(draw(attribute, speakers, rng), routes))
            for _ in range(n_permutations)
        ]
    )
    # a permutation that gives the same table may differ by rounding
    reached = int(np.count_nonzero(drawn >= observed - 1e-12))
    return Association(
        observed,
        float(drawn.mean()),
        (1 + reached) / (1 + n_permutations),
        permuted,
    )


def _check_lengths(*labels):
    """Refuse labels that do not stand side by side."""
    lengths = [len(column) for column in labels]
    if len(set(lengths)) > 1 or not lengths[0]:
        raise InputError(
            f"{lengths[0]} routes, {lengths[1]} attribute values and "
            f"{lengths[2]} speakers; give one of each per utterance"
        )


def _count(rows, columns):
    """Return the table of counts of two integer labels."""
    shape = rows.max() + 1, columns.max() + 1
    cells = np.bincount(
        rows * shape[1] + columns, minlength=shape[0] * shape[1]
    )
    return cells.reshape(shape)


def _what_is_permuted(attribute, speakers):
    """Return what changes places if routes ignore the attribute, and how."""
    n_speakers, n_values = speakers.max() + 1, attribute.max() + 1
    if np.count_nonzero(_count(speakers, attribute)) > n_speakers:
        return "within speakers", _permute_within
    if n_values == n_speakers:
        return "utterances", _permute_utterances
    return "speakers", _permute_speakers


def _permute_speakers(attribute, speakers, rng):
    """Give each speaker the value of another one, all utterances alike."""
    value_of = np.empty(speakers.max() + 1, dtype=np.int64)
    value_of[speakers] = attribute
    return rng.permutation(value_of)[speakers]


def _permute_within(attribute, speakers, rng):
    """Exchange values between the utterances of each speaker."""
    shuffled = np.lexsort((rng.random(len(speakers)), speakers))
    permuted = np.empty_like(attribute)
    permuted[np.argsort(speakers, kind="stable")] = attribute[shuffled]
    return permuted


def _permute_utterances(attribute, speakers, rng):
    """Exchange values between all utterances."""
    return rng.permutation(attribute)
