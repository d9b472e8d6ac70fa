"""Puts the recipe folder on sys.path, as running a script there does."""

import sys
from pathlib import Path

import pytest

RECIPE = Path(__file__).parents[2] / "recipes" / "VoxCeleb" / "moe_ecapa"
sys.path.insert(0, str(RECIPE))


@pytest.fixture
def recipe_folder():
    return RECIPE
