"""Mutual information and its permutation test over speakers."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.association import (
    mutual_information,
    permutation_association,
)

N_SPEAKERS, N_EACH = 12, 20


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def speakers():
    return np.repeat(np.arange(N_SPEAKERS), N_EACH)


def test_mutual_information_agrees_with_scikit_learn(rng):
    rows, columns = rng.integers(3, size=200), rng.integers(4, size=200)
    table = np.zeros((3, 4))
    np.add.at(table, (rows, columns), 1)
    expected = mutual_info_score(rows, columns)
    assert mutual_information(table) == pytest.approx(expected, abs=1e-12)


def test_independent_labels_have_no_mutual_information():
    assert mutual_information([[2, 4], [3, 6]]) == 0.0


def test_one_route_says_nothing(speakers):
    routes = np.zeros_like(speakers)
    result = permutation_association(routes, speakers % 2, speakers, 50)
    assert (result.mutual_information, result.p_value) == (0.0, 1.0)


def test_route_that_is_the_attribute_is_found(speakers):
    sexes = speakers % 2
    result = permutation_association(sexes, sexes, speakers)
    assert result.mutual_information == pytest.approx(np.log(2))
    assert result.p_value < 0.01
    assert result.permuted == "speakers"


def test_a_route_for_each_speaker_is_no_proof_of_an_attribute(rng, speakers):
    """A test that took utterances as independent would say p < 0.001."""
    routes = rng.integers(2, size=N_SPEAKERS)[speakers]
    result = permutation_association(routes, speakers % 2, speakers)
    assert result.p_value > 0.05


def test_route_that_knows_the_speaker_is_found(speakers):
    """Whole speakers changing places would give the same table, p = 1."""
    result = permutation_association(speakers % 3, speakers, speakers)
    assert result.permuted == "utterances"
    assert result.p_value < 0.01
    assert result.chance < result.mutual_information / 2


def test_route_that_does_not_know_the_speaker_is_not_found(rng, speakers):
    routes = rng.integers(3, size=len(speakers))
    result = permutation_association(routes, speakers, speakers)
    assert result.p_value > 0.05


def test_within_a_speaker_only_the_varying_part_counts(rng, speakers):
    noise = rng.random(len(speakers)) < np.where(speakers < 6, 0.1, 0.9)
    routes = speakers < 6  # goes with the noise through the speakers alone
    result = permutation_association(routes, noise, speakers)
    assert result.permuted == "within speakers"
    assert result.p_value == 1.0


def test_attribute_that_varies_within_speakers_is_found(rng, speakers):
    noise = rng.integers(2, size=len(speakers))
    result = permutation_association(noise, noise, speakers)
    assert result.p_value < 0.01


@pytest.mark.parametrize("of_speaker", [True, False])
def test_p_values_are_even_when_nothing_is_there(rng, speakers, of_speaker):
    """Also where routes cluster by speaker."""
    p_values = []
    for seed in range(60):
        likely = rng.random(N_SPEAKERS)[speakers]
        routes = rng.random(len(speakers)) < likely
        attribute = rng.permutation(N_SPEAKERS)[speakers] % 2
        if not of_speaker:
            attribute = rng.integers(2, size=len(speakers))
        given = routes, attribute, speakers, 99, seed
        p_values.append(permutation_association(*given).p_value)
    assert 0.35 < np.mean(p_values) < 0.65
    assert np.mean(np.array(p_values) <= 0.1) < 0.25


def test_same_seed_same_result(rng, speakers):
    routes = rng.integers(3, size=len(speakers))
    given = (routes, speakers % 2, speakers, 100)
    assert permutation_association(*given) == permutation_association(*given)


def test_lengths_that_differ_are_refused():
    with pytest.raises(InputError, match="2 routes, 1 attribute values"):
        permutation_association([0, 1], ["f"], ["a", "b"])
