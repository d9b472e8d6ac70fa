"""What a wheel of this checkout holds."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILD = "from setuptools import build_meta; build_meta.build_wheel('wheel')"


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Names of the files of a wheel, built in a copy."""
    copy = tmp_path_factory.mktemp("copy")
    for name in ("speechbrain_moe", "pretrained"):
        shutil.copytree(ROOT / name, copy / name)
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy)
    shutil.copy(ROOT / "LICENSE", copy)
    (copy / "wheel").mkdir()
    command = [sys.executable, "-c", BUILD]
    subprocess.run(command, cwd=copy, check=True, capture_output=True)
    (wheel,) = (copy / "wheel").glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        return set(content.namelist())


def test_every_module_is_in_the_wheel(names):
    modules = (ROOT / "speechbrain_moe").rglob("*.py")
    assert {path.relative_to(ROOT).as_posix() for path in modules} <= names


def test_the_weights_that_ship_are_in_the_wheel(names):
    for path in (ROOT / "pretrained").glob("*/*"):
        name = f"speechbrain_moe/pretrained/{path.parent.name}/{path.name}"
        assert name in names
