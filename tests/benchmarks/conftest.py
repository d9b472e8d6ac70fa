"""Puts benchmarks/ on sys.path, as running a script there does."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
