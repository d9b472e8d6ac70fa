"""Where a package may be written, and what happens to what is there."""

import os

import pytest

from speechbrain_moe.errors import PackageError
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
        if str(old).endswith(".partial"):
            raise KeyboardInterrupt
        rename(old, new)

    monkeypatch.setattr(os, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        export_package(experiment, package)
    old = package.with_name(f".{package.name}.old")
    assert sorted(path.name for path in old.iterdir()) == before
