import os
import shutil
from json import JSONDecodeError

import pytest
from huggingface_hub import ModelInfo
from huggingface_hub.errors import HfHubHTTPError, Response

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference import snapshot
from speechbrain_moe.inference.snapshot import (
    can_ask,
    check_repo_id,
    copy_snapshot,
    fetch_snapshot,
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


@pytest.mark.parametrize("name", [".", ".."])
def test_folder_without_a_name_of_its_own_is_refused(
    revision, tmp_path, monkeypatch, name
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(PackageError, match="has no name; give a new folder"):
        copy_snapshot(revision, name)


def test_folder_that_cannot_be_written_is_refused_by_name(revision, tmp_path):
    with pytest.raises(PackageError, match="blob/copy cannot be written"):
        copy_snapshot(revision, tmp_path / "blob" / "copy")


def test_copy_that_another_process_made_meanwhile_is_taken(
    revision, tmp_path, monkeypatch
):
    target, replace = tmp_path / "copy", os.replace

    def come_second(aside, folder):
        shutil.copytree(aside, folder)
        replace(aside, folder)

    monkeypatch.setattr(os, "replace", come_second)
    assert copy_snapshot(revision, target) == target
    assert (target / "a.txt").read_text() == "a"
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"abc123", "blob", "copy"}


@pytest.fixture
def hub(monkeypatch):
    """What asking the Hub for a revision ends in."""

    def answer(result):
        def model_info(*args, **kwargs):
            if isinstance(result, Exception):
                raise result
            return result

        monkeypatch.setattr(snapshot.HfApi, "model_info", model_info)

    return answer


def refusal(status):
    return HfHubHTTPError("no", response=Response(status, request=object()))


@pytest.mark.parametrize(
    "error",
    [
        refusal(500),
        refusal(503),
        ConnectionError("no route"),
        JSONDecodeError("a login page", "<html>", 0),
    ],
)
def test_hub_that_is_not_there_or_down_leaves_the_cache(hub, error):
    hub(error)
    assert can_ask("user/voices", None, None) is False


@pytest.mark.parametrize("status", [401, 403, 404, 429])
def test_refusal_of_the_hub_is_none_of_the_network(hub, status):
    hub(refusal(status))
    with pytest.raises(HfHubHTTPError):
        can_ask("user/voices", None, None)


def test_repository_of_another_kind_is_refused_undownloaded(hub, monkeypatch):
    def download(*args, **kwargs):
        raise AssertionError("something was downloaded")

    monkeypatch.setattr(snapshot, "snapshot_download", download)
    hub(ModelInfo(id="user/llm", siblings=[{"rfilename": "weights.bin"}]))
    for revision in (None, "0" * 40):
        with pytest.raises(PackageError, match="user/llm is no package, it ho"):
            fetch_snapshot("user/llm", revision)


def test_commit_in_the_cache_needs_no_network(hub, monkeypatch):
    def cached(repo_id, name, revision):
        return "/cache/file" if revision == "1" * 40 else None

    monkeypatch.setattr(snapshot, "try_to_load_from_cache", cached)
    hub(AssertionError("the Hub was asked"))
    assert can_ask("user/voices", "1" * 40, None)
    with pytest.raises(AssertionError, match="was asked"):
        can_ask("user/voices", "2" * 40, None)


@pytest.mark.parametrize("name", ["user/a", "my-org/Voices_2.0"])
def test_hub_ids_pass(name):
    assert check_repo_id(name) is None


@pytest.mark.parametrize(
    "name", ["", "voices", "/abs/path", "./a", "../a", "a/b/c", "a/", "C:\\a"]
)
def test_what_is_no_hub_id_is_refused(name):
    with pytest.raises(
        PackageError, match="no Hub id: give one of the form user"
    ):
        check_repo_id(name)
