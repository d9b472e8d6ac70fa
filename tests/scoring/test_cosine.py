"""Unit rows and look-ups; their scores are tested with the trials."""

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.scoring import cosine as module
from speechbrain_moe.scoring.cosine import row_cosines, unit_rows, unit_sides


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rows_have_length_one_in_float64(monkeypatch, dtype):
    monkeypatch.setattr(module, "BLOCK", 7)
    rows = np.random.default_rng(0).normal(size=(20, 5)).astype(dtype)
    units = unit_rows(rows)
    assert units.dtype == np.float64
    np.testing.assert_allclose((units**2).sum(1), 1, rtol=1e-14)
    rows = rows.astype(np.float64)
    lengths = np.sqrt((rows**2).sum(1))
    np.testing.assert_allclose(units * lengths[:, None], rows, rtol=1e-14)


def test_what_is_given_stays_as_it_was():
    rows = np.array([[3.0, -4.0]])
    unit_rows(rows)
    assert rows.tolist() == [[3.0, -4.0]]


def test_a_row_whose_largest_entry_is_negative_keeps_its_sign():
    np.testing.assert_allclose(unit_rows([[-3.0, 0.0]]), [[-1.0, 0.0]])


def test_rows_without_names_are_named_by_number():
    with pytest.raises(InputError, match="of row 1 is zero .1 of 3"):
        unit_rows([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])


def test_files_are_found_on_every_side():
    units, enrol, test = unit_sides(np.eye(3), "abc", "ca", "aa")
    assert units[enrol].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert units[test].tolist() == [[1, 0, 0], [1, 0, 0]]


def test_files_on_no_side_are_left_out_whatever_is_in_them():
    rows = [[1.0, 2.0], [np.nan, 0.0], [2.0, 1.0], [0.0, 0.0]]
    units, side = unit_sides(rows, "abcd", "cca")
    np.testing.assert_allclose(units, unit_rows([rows[0], rows[2]]))
    assert side.tolist() == [1, 1, 0]


def test_a_bad_file_on_a_side_is_named_by_its_id():
    rows = [[np.nan, 0.0], [1.0, 2.0], [0.0, 0.0]]
    with pytest.raises(InputError, match="of c is zero"):
        unit_sides(rows, "abc", "bc")


def test_cosines_do_not_depend_on_the_blocks(monkeypatch):
    rng = np.random.default_rng(2)
    units = unit_rows(rng.normal(size=(10, 6)))
    left, right = rng.integers(10, size=(2, 23))
    whole = row_cosines(units, left, right)
    monkeypatch.setattr(module, "BLOCK", 5)
    np.testing.assert_array_equal(row_cosines(units, left, right), whole)
