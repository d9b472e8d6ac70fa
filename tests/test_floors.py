"""The package's floors: imports go one way only."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "speechbrain_moe"
GROUND = {"errors", "audio", "checkpoints", "files", "__version__"}
MAY_IMPORT = {
    "lobes": GROUND | {"lobes"},
    "training": GROUND | {"lobes", "training"},
    "scoring": GROUND | {"scoring"},
    "inference": GROUND | {"lobes", "scoring", "inference"},
    "report": GROUND | {"scoring", "report"},
}
FILES = sorted(
    p for floor in MAY_IMPORT for p in (PACKAGE / floor).glob("*.py")
)


def own_imports(file):
    """First component below speechbrain_moe of each import in a file."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            top, *rest = name.split(".")
            if top == "speechbrain_moe":
                yield rest[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_floor_imports_only_from_the_floors_it_may(file):
    assert set(own_imports(file)) <= MAY_IMPORT[file.parent.name]


def test_scoring_needs_no_torch():
    for file in (PACKAGE / "scoring").glob("*.py"):
        assert "torch" not in file.read_text(encoding="utf-8")
