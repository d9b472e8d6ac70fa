"""Where a package may be written, and what happens to what is there."""

import os

import pytest

from speechbrain_moe.errors import AudioError, PackageError
from speechbrain_moe.inference.export import export_package


@pytest.fixture
def package(experiment, tmp_path):
    return export_package(experiment, tmp_path / "package")


@pytest.mark.parametrize("name", ["README.md", "example_1.wav", "config.json"])
def test_folder_with_files_of_such_names_is_no_package(
    experiment, tmp_path, name
):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / name).write_text("work")
    with pytest.raises(PackageError, match=f"mine holds {name}"):
        export_package(experiment, folder)
    assert (folder / name).read_text() == "work"


def test_older_package_is_there_until_the_new_one_is(
    experiment, package, monkeypatch
):
    before = sorted(path.name for path in package.iterdir())
    rename = os.rename

    def killed(old, new):
        if str(old).endswith(".new"):
            raise KeyboardInterrupt
        rename(old, new)

    monkeypatch.setattr(os, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        export_package(experiment, package)
    old = package.with_name(f".{package.name}.old")
    assert sorted(path.name for path in old.iterdir()) == before


def test_a_link_stays_one_and_leads_to_the_new_package(experiment, tmp_path):
    (tmp_path / "disk").mkdir()
    link = tmp_path / "current"
    link.symlink_to(tmp_path / "disk/v1")
    for _ in range(3):  # to nothing yet, then to a package
        export_package(experiment, link)
        assert link.is_symlink() and (link / "manifest.json").is_file()
    names = [path.name for path in (tmp_path / "disk").iterdir()]
    assert names == ["v1"] and len(list(tmp_path.iterdir())) == 2


def test_a_failed_export_leaves_nothing_and_takes_nothing(experiment, tmp_path):
    thesis = tmp_path / "mine.partial/thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    with pytest.raises(AudioError, match="nowhere.wav"):
        export_package(
            experiment, tmp_path / "mine", examples=[tmp_path / "nowhere.wav"]
        )
    assert [*tmp_path.rglob("*.*")] == [thesis.parent, thesis]
