"""Unit rows and look-ups; their scores are tested with the trials."""

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring import cosine as module
from speechbrain_moe.scoring.cosine import row_cosines, rows_of, unit_rows


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_have_length_one_in_the_type_asked_for(monkeypatch, dtype):
    monkeypatch.setattr(module, "BLOCK", 7)
    rows = np.random.default_rng(0).normal(size=(20, 5))
    units = unit_rows(rows, dtype=dtype)
    assert units.dtype == dtype
    np.testing.assert_allclose(np.linalg.norm(units, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(
        units, rows / np.sqrt((rows**2).sum(1))[:, None], rtol=1e-6
    )


def test_float32_rows_are_rounded_once_from_float64():
    rows = np.random.default_rng(1).normal(size=(50, 192))
    np.testing.assert_array_equal(
        unit_rows(rows, dtype=np.float32), unit_rows(rows).astype(np.float32)
    )


def test_what_is_given_stays_as_it_was():
    rows = np.array([[3.0, -4.0]])
    unit_rows(rows)
    assert rows.tolist() == [[3.0, -4.0]]


def test_a_row_whose_largest_entry_is_negative_keeps_its_sign():
    np.testing.assert_allclose(unit_rows([[-3.0, 0.0]]), [[-1.0, 0.0]])


def test_rows_without_names_are_named_by_number():
    with pytest.raises(InputError, match="of row 1 is zero .1 of 3"):
        unit_rows([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])


def test_rows_are_found_on_every_side():
    enrol, test = rows_of(["a", "b", "c"], ["c", "a"], ["b", "b"])
    assert enrol.tolist() == [2, 0]
    assert test.tolist() == [1, 1]


def test_files_missing_on_any_side_are_counted_once():
    with pytest.raises(InputError, match="2 files .* first is x;"):
        rows_of(["a"], ["a", "x", "x"], ["y", "x", "a"])


def test_cosines_do_not_depend_on_the_blocks(monkeypatch):
    rng = np.random.default_rng(2)
    units = unit_rows(rng.normal(size=(10, 6)))
    left, right = rng.integers(10, size=(2, 23))
    whole = row_cosines(units, left, right)
    monkeypatch.setattr(module, "BLOCK", 5)
    np.testing.assert_array_equal(row_cosines(units, left, right), whole)
