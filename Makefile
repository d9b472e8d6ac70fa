# make demo   trains, verifies and exports on synthetic voices (10 minutes)
# make test   all tests
# make check  style: ruff, yamllint, codespell
# Each makes the virtual environment .venv first, if it is not there.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
RECIPE = recipes/VoxCeleb/moe_ecapa

.PHONY: venv demo test check clean

venv: $(VENV)/.installed

$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

demo: venv
	$(BIN)/python $(RECIPE)/demo.py results/demo

test: venv
	$(BIN)/python -m pytest

check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/yamllint --strict .
	$(BIN)/codespell

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
