PYTHON ?= python3
BIN = .venv/bin

.PHONY: setup quickstart test faults fuzz check clean

setup: .venv/ready

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade "pip>=24"
	$(BIN)/pip install --quiet --editable ".[dev]"
	touch $@

quickstart: setup
	$(BIN)/bench run suites/quickstart.yaml --jobs 2
	$(BIN)/bench report results/quickstart

test: setup
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not fault" -n 2 --ignore tests/fuzz

faults: setup
	OMP_NUM_THREADS=1 $(BIN)/pytest -m fault -n 2 --dist worksteal --ignore tests/fuzz
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/fuzz  # apart: what it draws depends on what its process has imported

fuzz: setup
	OMP_NUM_THREADS=1 FUZZ_SECONDS=120 $(BIN)/pytest tests/fuzz

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest tests/test_imports.py

clean:
	rm -rf .venv build *.egg-info
