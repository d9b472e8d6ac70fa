"""Puts the recipe folder on sys.path, as running a script there does."""

import sys
from pathlib import Path

import pytest
from tiny_corpus import write_corpus

RECIPE = Path(__file__).parents[2] / "recipes" / "VoxCeleb" / "moe_ecapa"
sys.path.insert(0, str(RECIPE))


@pytest.fixture(scope="session")
def recipe_folder():
    return RECIPE


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """A corpus to read from; a test that damages it makes its own."""
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def small_yaml(recipe_folder):
    """The yaml most tests start from."""
    return recipe_folder / "hparams" / "moe_ecapa_small.yaml"
