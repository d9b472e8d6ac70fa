"""Groups of trials: agreement of sides, bins, unknown values."""

import collections

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring.groups import bin_values, trial_groups


def test_sides_that_agree_make_a_group_and_others_are_mixed():
    assert trial_groups(["f", "f", "m"], ["f", "m", "m"]) == ["f", "mixed", "m"]


@pytest.mark.parametrize("nothing", [None, float("nan"), np.nan, "", " "])
def test_a_side_without_a_value_makes_the_trial_unknown(nothing):
    assert trial_groups(["f", nothing], [nothing, nothing]) == ["unknown"] * 2


def test_swapping_the_sides_leaves_the_groups():
    rng = np.random.default_rng(0)
    enrol, test = rng.choice(["f", "m", ""], (2, 50))
    assert trial_groups(enrol, test) == trial_groups(test, enrol)


def test_a_value_named_mixed_is_refused():
    with pytest.raises(InputError, match="'mixed'"):
        trial_groups(["mixed"], ["f"])


def test_sides_of_other_lengths_are_refused():
    with pytest.raises(InputError, match="2 enrolment and 1 test"):
        trial_groups(["f", "m"], ["f"])


def test_bins_hold_their_lower_edge_and_the_last_both():
    names = bin_values([0, 1, 2, 3], unit="s")
    assert names == ["0 to 1 s", "1 to 2 s", *["2 to 3 s"] * 2]


def test_quantile_bins_hold_about_as_many_values_each():
    values = np.random.default_rng(1).exponential(size=3000)
    counts = collections.Counter(bin_values(values))
    assert len(counts) == 3
    assert all(950 < count < 1050 for count in counts.values())


def test_names_of_quantile_bins_tell_years_apart():
    names = bin_values(np.arange(1940, 2000))
    assert sorted(set(names)) == [
        "1940 to 1959.7",
        "1959.7 to 1979.3",
        "1979.3 to 1999",
    ]


def test_values_all_alike_make_one_bin():
    assert bin_values([3.0, 3.0], unit="s") == ["3 to 3 s"] * 2


def test_nan_is_unknown_and_moves_no_edge():
    values = [1.0, 2.0, 3.0, 4.0]
    names = bin_values([*values, np.nan])
    assert names == [*bin_values(values), "unknown"]
    assert bin_values([np.nan]) == ["unknown"]


def test_an_infinite_value_is_refused():
    with pytest.raises(InputError, match="infinite"):
        bin_values([1.0, np.inf])
