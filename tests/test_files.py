import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.files import walk_folder, write_whole


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


def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe: is a device or a pipe"):
        write_whole(tmp_path / "pipe", "text")
    assert os.listdir(tmp_path) == ["pipe"]


def test_of_a_link_the_file_it_leads_to_is_written(tmp_path):
    real = tmp_path / "disk" / "a.txt"
    real.parent.mkdir()
    real.write_text("old")
    for name, target in {"link": real, "dangling": tmp_path / "b"}.items():
        (tmp_path / name).symlink_to(target)
        write_whole(tmp_path / name, "new")
        assert (tmp_path / name).is_symlink() and target.read_text() == "new"


def test_a_file_that_nobody_else_may_read_stays_so(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o600)
    write_whole(path, "new")
    assert path.stat().st_mode & 0o777 == 0o600


def test_threads_that_write_one_file_leave_it_whole(tmp_path):
    texts = [str(i) * 100_000 for i in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            [*pool.map(lambda text: write_whole(tmp_path / "a", text), texts)]
            assert (tmp_path / "a").read_text() in texts
    assert os.listdir(tmp_path) == ["a"]


def test_a_walk_follows_links_but_not_in_circles(tmp_path):
    (tmp_path / "speech").mkdir()
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/a.wav").touch()
    (tmp_path / "speech/one").symlink_to(tmp_path / "disk")
    (tmp_path / "speech/back").symlink_to(tmp_path)
    (tmp_path / "disk/other").symlink_to(tmp_path / "speech")
    found = [*walk_folder(tmp_path / "speech")]
    assert found == [
        (str(tmp_path / "speech"), []),
        (str(tmp_path / "speech/one"), ["a.wav"]),
    ]
