"""Attributes of files: tables joined, bands cut, routes counted."""

import numpy as np
import pandas as pd
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.report.bands import bands
from speechbrain_moe.report.routing_attributes import (
    attribute_facts,
    attributes_of,
    join_metadata,
    read_metadata,
)

PATHS = ["id1/s/1.wav", "id1/s/2.wav", "id2/s/1.wav"]
MEASURED = {"duration_s": [1.0, 2.0, 3.0], "snr_db": [10.0, 20.0, 30.0]}


def test_a_table_joins_by_the_end_of_its_paths():
    table = pd.DataFrame(
        {
            "path": ["dev/id9/s/1.wav", *(f"test/{p}" for p in PATHS[::-1])],
            "gender": ["x", "m", "f", "f"],
        }
    )
    assert join_metadata(PATHS, table)["gender"].tolist() == ["f", "f", "m"]


def test_a_path_ends_at_a_folder_not_within_a_name():
    table = pd.DataFrame({"path": ["xid1/s/1.wav", "id1/s/2.wav"]})
    assert join_metadata(PATHS, table)["path"].isna().tolist() == [
        *(True, False, True)
    ]


def test_a_table_without_paths_joins_by_speaker():
    table = pd.DataFrame({"spk_id": ["id2", "id1"], "gender": ["m", "f"]})
    assert join_metadata(PATHS, table)["gender"].tolist() == ["f", "f", "m"]


def test_a_file_that_two_rows_fit_is_refused():
    table = pd.DataFrame({"path": [f"{p}/id1/s/1.wav" for p in ("a", "b")]})
    with pytest.raises(InputError, match=r"both fit id1/s/1.wav"):
        join_metadata(PATHS, table)


def test_a_table_of_other_files_is_refused():
    table = pd.DataFrame({"path": ["other/1.wav"]})
    with pytest.raises(InputError, match=r"such as id1/s/1.wav"):
        join_metadata(PATHS, table)


@pytest.mark.parametrize(
    "text, said",
    [
        ("a,b\n1,2\n", "neither a column path nor spk_id"),
        ("path\nx\n", "no column accent; choose from path"),
        ("path,accent\n", "has no rows"),
        ("", "no CSV"),
        ("a,b\n1,2,3\n4\n1,2,3,4,5\n", "no CSV"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path, text, said):
    path = tmp_path / "meta.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_metadata(path, ["accent"])


def test_a_missing_table_is_named():
    with pytest.raises(InputError, match=r"nowhere.csv: no such file"):
        read_metadata("nowhere.csv")


def test_ids_in_a_table_stay_text(tmp_path):
    (tmp_path / "meta.csv").write_text("spk_id,gender\n007,f\n")
    table = read_metadata(tmp_path / "meta.csv")
    assert table["spk_id"].tolist() == ["007"]


def test_none_and_na_are_values(tmp_path):
    (tmp_path / "meta.csv").write_text("spk_id,noise\nNA,None\nann,\n")
    table = read_metadata(tmp_path / "meta.csv")
    assert table["spk_id"].tolist() == ["NA", "ann"]
    assert table["noise"][0] == "None" and table["noise"].isna()[1]


def test_age_is_child_or_adult_and_unknown_stays_unknown():
    ages = pd.DataFrame({"age": ["17", "18", None]})
    found = attributes_of(MEASURED, ages)["age class"]
    assert found.tolist()[:2] == ["child, under 18", "adult"]
    assert found.isna().tolist() == [False, False, True]


def test_columns_are_shown_beside_what_is_known_anyway():
    table = pd.DataFrame({"gender": list("ffm"), "session": ["s1", "s2", "s1"]})
    assert list(attributes_of(MEASURED, table, ["session"])) == [
        *("gender", "SNR, estimated", "duration", "session")
    ]


def test_a_column_of_many_names_is_refused():
    paths = pd.DataFrame({"name": [f"n{i}" for i in range(41)]})
    with pytest.raises(InputError, match="name has 41 values"):
        attributes_of(MEASURED, paths, ["name"])


@pytest.mark.parametrize("name", ["duration", "SNR, estimated", "age class"])
def test_a_column_named_as_what_is_shown_anyway_is_refused(name):
    table = pd.DataFrame({name: list("abc"), "age": list("123")})
    with pytest.raises(InputError, match=f"column {name} .* rename it"):
        attributes_of(MEASURED, table, [name])


def test_gender_may_be_asked_for_though_it_is_shown_anyway():
    table = pd.DataFrame({"gender": list("ffm")})
    found = attributes_of(MEASURED, table, ["gender"])
    assert list(found) == ["gender", "SNR, estimated", "duration"]


def test_a_column_of_many_numbers_is_cut_into_bands():
    numbers = pd.DataFrame({"hz": [str(i) for i in range(100)]})
    found = attributes_of(MEASURED, numbers, ["hz"])["hz"]
    assert found.value_counts().tolist() == [25] * 4


def test_bands_hold_as_many_files_each_and_keep_their_order():
    values = np.random.default_rng(0).normal(10, 3, size=1000)
    found = bands(values, "dB")
    assert found.value_counts().between(230, 270).all()
    means = pd.Series(values).groupby(found.cat.codes).mean()
    assert means.is_monotonic_increasing


def test_infinite_numbers_are_in_the_outer_bands():
    found = bands([*range(8), np.inf, -np.inf], "dB")
    assert found[8] == found.cat.categories[-1]
    assert found[9] == found.cat.categories[0]
    assert bands([np.inf, np.inf]).nunique() == 1


def test_a_few_above_many_alike_are_a_band_of_their_own():
    found = bands([0.0] * 80 + [*range(1, 21)])
    assert found.value_counts(sort=False).tolist() == [80, 20]
    assert found.cat.categories.tolist() == ["under 1.0", "from 1.0"]


def test_small_numbers_have_bands_too():
    found = bands(np.arange(100) / 2500)
    assert found.value_counts().between(20, 30).all()
    assert found.cat.categories[0] == "under 0.010"


def test_equal_values_are_one_band_and_nan_is_none():
    assert bands([5.0, 5.0, np.nan], "s").cat.categories.tolist() == [
        "all near 5 s"
    ]
    assert bands([5.0, 5.0, np.nan]).isna().tolist() == [False, False, True]


def test_shares_of_a_value_sum_to_one_over_the_experts():
    rng = np.random.default_rng(0)
    routes = rng.integers(3, size=60)
    values = pd.Series(pd.Categorical(rng.choice(list("abc"), 60)))
    values[:5] = None
    facts = attribute_facts(routes, 4, np.arange(60) // 6, values, 9, seed=0)
    np.testing.assert_allclose(np.sum(facts["shares"], axis=1), 1)
    assert np.sum(facts["counts"]) == 55
    assert facts["n_unknown"] == 5
    assert len(facts["counts"][0]) == 4


def test_one_value_is_not_tested():
    values = pd.Series(pd.Categorical(["f", "f"]))
    facts = attribute_facts(np.array([0, 1]), 2, ["a", "b"], values, 9, 0)
    assert "p_value" not in facts


def test_a_value_never_known_leaves_an_empty_table():
    values = pd.Series(pd.Categorical([None, None]))
    facts = attribute_facts(np.array([0, 1]), 2, ["a", "b"], values, 9, 0)
    assert (facts["values"], facts["n_unknown"]) == ([], 2)
