import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference.gallery_names import base_name, check_name


@pytest.mark.parametrize(
    "name", ["ann", "Ann B. O'Neil", "王小明", "נועה", "a/b", "🎤", "-x", "2"]
)
def test_one_line_of_any_script_is_a_name(name):
    assert check_name(name) == name


def test_both_forms_of_an_accented_letter_are_one_name():
    assert check_name("Zoe\u0308") == check_name("Zo\u00eb")


@pytest.mark.parametrize(
    "name",
    ["", " ", " ann", "ann\n", "a\tb", "a\0b", "\ud800", "a\u2028b", 201 * "a"],
)
def test_name_that_breaks_a_line_or_cannot_be_stored_is_refused(name):
    with pytest.raises(InputError, match="^name .*: give|^name is .*give"):
        check_name(name)


@pytest.mark.parametrize("name", ["unknown", "Unknown", "unknown\u200b"])
def test_nobody_is_called_unknown(name):
    with pytest.raises(InputError, match="means nobody enrolled"):
        check_name(name)


@pytest.mark.parametrize("name", [None, 3, b"ann"])
def test_name_is_text(name):
    with pytest.raises(InputError, match="give some text"):
        check_name(name)


def test_file_name_in_no_known_script_can_be_stored():
    assert base_name("voices/\udcff.wav").encode() == "\ufffd.wav".encode()
