import contextlib
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from speechbrain_moe.errors import InputError
from speechbrain_moe.inference import gallery_file
from speechbrain_moe.inference.gallery_changes import (
    add_recordings,
    delete_recordings,
)
from speechbrain_moe.inference.gallery_file import (
    read_about,
    read_files,
    read_recordings,
)

WRITER = Path(__file__).with_name("gallery_writer.py")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "gallery" / "gallery.sqlite"


def row(name, key="0", value=0.5, size=8):
    return name, f"{key}.wav", key, np.full(size, value, dtype=np.float32)


def names_in(file):
    return read_recordings(file)[1].names


@contextlib.contextmanager
def writer(file, name="", first=0, n_changes=1, n_rows=1, pause=""):
    """A writer in a process of its own, past its imports."""
    given = [file, name, first, n_changes, n_rows, pause]
    command = [sys.executable, WRITER, *given]
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "begun\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_what_was_added_is_read_sorted_by_name(file):
    add_recordings(file, "key", [row("bob"), row("ann", "1"), row("bob", "2")])
    _, found = read_recordings(file)
    assert found.model == "key"
    assert found.names == ["ann", "bob", "bob"]
    assert found.files == ["1.wav", "0.wav", "2.wav"]
    assert np.array_equal(found.embeddings, np.full((3, 8), 0.5))


def test_nothing_is_made_by_reading(file):
    assert read_about(file) == (None, None) and names_in(file) == []
    assert read_files(file, "ann") == [] and delete_recordings(file, "a") == 0
    assert not file.parent.exists()


def test_same_recording_of_a_name_counts_once(file):
    add_recordings(file, "key", [row("ann"), row("ann", value=0.1)])
    add_recordings(file, "key", [row("ann", value=0.2), row("bob")])
    _, found = read_recordings(file)
    assert found.names == ["ann", "bob"]
    assert found.embeddings[0, 0] == np.float32(0.2)


def test_replacing_forgets_what_the_name_had_and_no_other(file):
    add_recordings(file, "key", [row("ann", "1"), row("bob", "2")])
    new = [row("ann", "3"), row("ann", "4")]
    add_recordings(file, "key", new, replace=True)
    assert read_files(file, "ann") == ["3.wav", "4.wav"]
    assert read_files(file, "bob") == ["2.wav"]


def test_names_that_differ_by_case_only_are_two_speakers(file):
    add_recordings(file, "key", [row("Ann", "1"), row("ann", "2")])
    delete_recordings(file, "Ann")
    assert read_files(file, "ann") == ["2.wav"] and names_in(file) == ["ann"]


def test_name_that_looks_like_a_path_makes_no_file(file):
    add_recordings(file, "key", [row("../../evil"), row("C:\\a"), row("/b")])
    assert names_in(file) == ["../../evil", "/b", "C:\\a"]
    made = sorted(p.name for p in file.parents[1].rglob("*"))
    assert made == ["gallery", "gallery.sqlite"]


def test_deleted_embedding_leaves_no_trace_in_the_file(file):
    add_recordings(file, "key", [row("ann", value=0.123), row("bob")])
    trace = row("ann", value=0.123)[-1].tobytes()
    assert trace in file.read_bytes()
    assert delete_recordings(file, "ann") == 1
    content = file.read_bytes()
    assert trace not in content and b"ann" not in content
    assert names_in(file) == ["bob"]


def test_every_change_has_a_state_of_its_own(file):
    states = set()
    for _ in range(3):
        add_recordings(file, "key", [row("ann")])
        states.add(read_about(file)[1])
        delete_recordings(file, "ann")
        states.add(read_about(file)[1])
    before = read_about(file)
    delete_recordings(file, "nobody")
    assert len(states) == 6 and read_about(file) == before


def test_gallery_takes_one_model_until_it_is_empty(file):
    add_recordings(file, "key", [row("ann")])
    with pytest.raises(InputError, match="holds embeddings of another model"):
        add_recordings(file, "other", [row("ann", "2")], replace=True)
    assert read_files(file, "ann") == ["0.wav"]
    delete_recordings(file, "ann")
    add_recordings(file, "other", [row("ann", "2")])
    assert read_about(file)[0] == "other"


def test_error_in_the_midst_leaves_what_was_before(file):
    add_recordings(file, "key", [row("ann")])

    def rows():
        yield row("bob")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_recordings(file, "key", rows())
    assert names_in(file) == ["ann"]


def test_writer_killed_in_the_midst_leaves_what_was_before(file):
    add_recordings(file, "key", [row("ann", size=192)])
    # Many rows, so that some of them are in the file before it is whole
    size = file.stat().st_size
    with writer(file, n_rows=8000, pause="pause") as process:
        assert process.stdout.readline() == "midst\n"
        assert file.stat().st_size > 2 * size
    assert names_in(file) == ["ann"]
    add_recordings(file, "key", [row("bob", size=192)])
    assert names_in(file) == ["ann", "bob"]


@pytest.mark.parametrize("wait_s", [0.0, 0.013, 0.029])
def test_writer_killed_at_any_moment_leaves_whole_changes(file, wait_s):
    with writer(file, n_changes=10**6, n_rows=50) as process:
        assert process.stdout.readline() == "done\n"
        time.sleep(wait_s)
        process.kill()
        n_said = 1 + process.stdout.read().count("done\n")
    counts = Counter(names_in(file))
    assert set(counts.values()) == {50}
    assert n_said <= len(counts) <= n_said + 1
    with contextlib.closing(sqlite3.connect(file)) as connection:
        checked = connection.execute("PRAGMA integrity_check").fetchone()
    assert checked == ("ok",)


def test_two_writers_at_once_lose_nothing(file):
    given = {"name": "ann", "n_changes": 25}
    with (
        writer(file, first=0, **given) as one,
        writer(file, first=100, **given) as other,
    ):
        said = [process.stdout.read() for process in (one, other)]
        assert [process.wait() for process in (one, other)] == [0, 0]
    assert [text.count("done") for text in said] == [25, 25]
    wanted = {f"{i}-0.wav" for i in (*range(25), *range(100, 125))}
    assert set(read_files(file, "ann")) == wanted


def test_held_gallery_is_named_after_the_wait(file, monkeypatch):
    add_recordings(file, "key", [row("ann")])
    monkeypatch.setattr(gallery_file, "WAIT_S", 0.05)
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InputError, match="gallery.sqlite: .* is locked"):
            add_recordings(file, "key", [row("bob")])
        assert names_in(file) == ["ann"]  # reading goes on


def test_damaged_file_is_named(file):
    file.parent.mkdir()
    file.write_bytes(b"no database " * 100)
    for call in (names_in, read_about, lambda f: delete_recordings(f, "a")):
        with pytest.raises(InputError, match="gallery.sqlite: .*not a data"):
            call(file)


def test_folder_that_cannot_be_looked_into_is_named(tmp_path):
    file = tmp_path / ("x" * 300) / "gallery.sqlite"
    for call in (names_in, read_about):
        with pytest.raises(InputError, match="gallery.sqlite: .* give a fold"):
            call(file)


def test_embeddings_of_differing_size_are_damage(file):
    add_recordings(file, "key", [row("ann"), row("bob")])
    with contextlib.closing(sqlite3.connect(file)) as connection:
        command = "UPDATE recordings SET embedding = ? WHERE name = 'bob'"
        connection.execute(command, (bytes(28),))
        connection.commit()
    with pytest.raises(InputError, match="embeddings differ in size"):
        read_recordings(file)


@pytest.mark.parametrize("replace", [False, True])
def test_embedding_of_another_size_is_not_taken(file, replace):
    add_recordings(file, "key", [row("ann")])
    rows = [row("ann", "1"), row("bob", size=7)]
    with pytest.raises(InputError, match="of 8 numbers, not 7"):
        add_recordings(file, "key", rows, replace)
    assert read_files(file, "ann") == ["0.wav"]


def test_later_format_is_refused(file):
    add_recordings(file, "key", [row("ann")])
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(InputError, match="format 2, not 1.*install"):
        read_recordings(file)


def test_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(InputError, match="taken.*give a folder"):
        add_recordings(tmp_path / "taken" / "g.sqlite", "key", [row("ann")])
