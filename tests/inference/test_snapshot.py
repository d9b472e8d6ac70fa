import pytest

from speechbrain_moe.errors import AudioError, PackageError
from speechbrain_moe.inference.snapshot import (
    check_repo_id,
    copy_snapshot,
    hub_errors,
)


@pytest.fixture
def revision(tmp_path):
    """A snapshot of two files, one of them a link as in the cache."""
    folder = tmp_path / "abc123"
    folder.mkdir()
    (folder / "b.txt").write_text("b")
    (tmp_path / "blob").write_text("a")
    (folder / "a.txt").symlink_to(tmp_path / "blob")
    return folder


@pytest.mark.parametrize("there", [False, True])
def test_copy_holds_real_files_alone(revision, tmp_path, there):
    target = tmp_path / "copy"
    if there:
        target.mkdir()
    assert copy_snapshot(revision, target) == target
    found = {path.name: path.read_text() for path in target.iterdir()}
    assert found == {"a.txt": "a", "b.txt": "b"}
    assert not any(path.is_symlink() for path in target.iterdir())
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"abc123", "blob", "copy"}  # nothing is left aside


def test_same_revision_is_left_as_it_is(revision, tmp_path):
    target = copy_snapshot(revision, tmp_path / "copy")
    (target / ".git").mkdir()
    (target / ".git" / "config").write_text("of the user")
    before = (target / "a.txt").stat().st_mtime_ns
    copy_snapshot(revision, target)
    assert (target / "a.txt").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "name, text", [("a.txt", "x"), ("c.txt", "new"), ("b.txt", None)]
)
def test_folder_that_differs_is_refused_and_left_alone(
    revision, tmp_path, name, text
):
    target = copy_snapshot(revision, tmp_path / "copy")
    (target / name).unlink(missing_ok=True)
    if text is not None:
        (target / name).write_text(text)
    before = sorted(path.read_text() for path in target.iterdir())
    wanted = f"copy: its {name} is not that of revision abc123"
    with pytest.raises(PackageError, match=wanted):
        copy_snapshot(revision, target)
    assert sorted(path.read_text() for path in target.iterdir()) == before


def test_file_in_the_place_of_the_folder_is_refused(revision, tmp_path):
    with pytest.raises(PackageError, match="blob is a file; give a folder"):
        copy_snapshot(revision, tmp_path / "blob")


@pytest.mark.parametrize(
    "error, said",
    [
        (TimeoutError("slow"), "user/voices: cannot be transferred .slow"),
        (ConnectionError(), "user/voices: the Hub cannot be reached"),
        (OSError("no space\nleft"), r"cannot be transferred \(no space left"),
        (ValueError("bad card"), r"cannot be transferred \(bad card"),
        (RuntimeError("of an upload"), "cannot be transferred .of an upload"),
    ],
)
def test_what_goes_wrong_on_the_way_is_one_error(error, said):
    with pytest.raises(PackageError, match=said), hub_errors("user/voices"):
        raise error


def test_wrapped_cause_of_an_upload_is_what_is_told():
    with pytest.raises(PackageError, match="the Hub cannot be reached .cut"):
        with hub_errors("user/voices"):
            raise RuntimeError("uploading") from ConnectionError("cut")


def test_errors_that_say_the_mend_already_pass_as_they_are():
    with pytest.raises(AudioError, match="^as it is$"):
        with hub_errors("user/voices"):
            raise AudioError("as it is")


@pytest.mark.parametrize("name", ["user/a", "my-org/Voices_2.0"])
def test_hub_ids_pass(name):
    assert check_repo_id(name) is None


@pytest.mark.parametrize(
    "name", ["", "voices", "/abs/path", "./a", "../a", "a/b/c", "a/", "C:\\a"]
)
def test_what_is_no_hub_id_is_refused(name):
    with pytest.raises(PackageError, match="has the form user/name"):
        check_repo_id(name)
