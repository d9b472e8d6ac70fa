# make demo   trains, verifies and exports on synthetic voices (10 minutes)
# make test   all tests
# make docs   builds the documentation into build/docs
# make check  style: ruff, yamllint, codespell
# Each makes the virtual environment .venv first, if it is not there.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
RECIPE = recipes/VoxCeleb/moe_ecapa

.PHONY: venv demo test docs check clean

venv: $(VENV)/.installed

$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

demo: venv
	$(BIN)/python $(RECIPE)/demo.py results/demo

test: venv
	$(BIN)/python -m pytest

docs: venv
	COLUMNS=80 $(BIN)/sphinx-build -W --keep-going docs build/docs

check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/yamllint --strict .
	$(BIN)/codespell

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
