import json

import pytest
from huggingface_hub.errors import (
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    Response,
    RevisionNotFoundError,
)
from speechbrain.utils.fetching import FetchConfig

from speechbrain_moe.errors import PackageError
from speechbrain_moe.inference import collected
from speechbrain_moe.inference.collected import (
    check_collected,
    check_version,
    find_manifest,
    sha256_of,
)


@pytest.fixture
def folder(tmp_path):
    """A file and a manifest that names it."""
    (tmp_path / "a.txt").write_text("text")
    files = {"a.txt": {"sha256": sha256_of(tmp_path / "a.txt"), "size": 4}}
    content = {"package_version": "0.1.0", "files": files}
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    return tmp_path


@pytest.fixture
def hub(monkeypatch):
    """What asking the Hub for the manifest ends in."""

    def answer(error):
        def refuse(*args, **kwargs):
            raise error

        monkeypatch.setattr(collected, "fetch", refuse)

    return answer


def answer_404():
    """As huggingface_hub's errors want it; any object is a request."""
    return Response(404, request=object())


def test_files_as_the_manifest_says_pass_wherever_they_are(folder, tmp_path):
    kept = tmp_path / "a.ckpt"
    kept.write_text("text")
    assert check_collected(folder, {"a.txt": kept}, FetchConfig()) is None


@pytest.mark.parametrize("text", ["texT", "", None])
def test_other_file_is_refused_with_its_name_in_the_package(folder, text):
    kept = folder / "a.ckpt"
    if text is not None:
        kept.write_text(text)
    with pytest.raises(PackageError, match="a.ckpt is not the a.txt that"):
        check_collected(str(folder), {"a.txt": kept}, FetchConfig())


def test_file_that_is_not_named_is_refused(folder):
    files = {"b.txt": folder / "a.txt"}
    with pytest.raises(PackageError, match="is not the b.txt that"):
        check_collected(folder, files, FetchConfig())


def test_folder_without_a_manifest_has_nothing_to_check(tmp_path):
    files = {"a.txt": tmp_path / "nowhere"}
    assert check_collected(tmp_path, files, FetchConfig()) is None


@pytest.mark.parametrize("error", [LocalEntryNotFoundError, ConnectionError])
def test_no_network_is_logged_and_no_error(hub, caplog, error):
    hub(error("no route"))
    assert find_manifest("user/voices", FetchConfig()) is None
    assert "a savedir may hold another revision" in caplog.text


def test_offline_mode_is_no_error_either(hub, caplog):
    hub(OfflineModeIsEnabled("HF_HUB_OFFLINE=1"))
    assert find_manifest("user/voices", FetchConfig()) is None
    assert "manifest cannot be fetched" in caplog.text


def test_hub_package_of_before_there_were_manifests_is_not_checked(hub, caplog):
    hub(RemoteEntryNotFoundError("404", response=answer_404()))
    assert find_manifest("user/voices", FetchConfig()) is None
    assert caplog.text == ""


def test_revision_that_is_not_there_is_an_error(hub):
    hub(RevisionNotFoundError("404", response=answer_404()))
    with pytest.raises(PackageError, match="user/voices: no revision v9"):
        find_manifest("user/voices", FetchConfig(revision="v9"))


@pytest.mark.parametrize("version", ["0.0", "0.1.7", "0.1"])
def test_versions_up_to_the_third_number_pass(version):
    assert check_version({"package_version": version}, "x") is None


@pytest.mark.parametrize("version", ["0.2.0", "1.0", "0.10.0rc1"])
def test_later_versions_are_refused(version):
    with pytest.raises(PackageError, match=f"written by .*{version}, and"):
        check_version({"package_version": version}, "x")
