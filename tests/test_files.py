import os

import pytest

from speechbrain_moe.files import write_whole


def test_text_is_written_with_plain_newlines_into_a_new_folder(tmp_path):
    path = tmp_path / "new" / "a.txt"
    write_whole(path, "é\n")
    assert path.read_bytes() == "é\n".encode()


def test_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(aside):
        aside.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, fail)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_suffix_is_kept_for_writers_that_look_at_it(tmp_path):
    seen = []
    write_whole(
        tmp_path / "a.wav", lambda aside: (seen.append(aside), aside.touch())
    )
    assert seen[0].suffix == ".wav"
