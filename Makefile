PYTHON ?= python3
BIN = .venv/bin
ALL = .[run,nvidia,dev]
PYTEST = OMP_NUM_THREADS=1 $(1)/bin/pytest -n 2 --dist worksteal

# An environment: $(1) its folder, $(2) what pip is told beside what to install (a constraints file, or nothing), $(3) what to install
define environment
	rm -rf $(1)
	$(PYTHON) -m venv $(1)
	$(1)/bin/pip install --quiet $(2) --upgrade pip setuptools wheel
	$(1)/bin/pip install --quiet $(2) --editable "$(3)"
	touch $(1)/ready
endef

.PHONY: help setup quickstart test test-latest test-oldest test-light coverage faults soak fuzz statistics check lock clean

help:  # this list
	@awk -F ':[^#]*# *' '/^[a-z-]+:.*#/ { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: .venv/ready  # .venv with everything, as requirements/lock.txt pins it

.venv/ready: pyproject.toml requirements/lock.txt
	$(call environment,.venv,-c requirements/lock.txt,$(ALL))

.venv-oldest/ready: pyproject.toml requirements/oldest.txt
	$(call environment,.venv-oldest,-c requirements/oldest.txt,$(ALL))

quickstart: setup  # compares six regimes on this machine: no GPU, no download
	$(BIN)/bench run suites/quickstart.yaml --jobs 2
	$(BIN)/bench report results/quickstart

test: setup  # the tests, without those of faults and fuzz
	$(call PYTEST,.venv)

test-latest:  # the tests on the newest releases, installed anew each time
	$(call environment,.venv-latest,,$(ALL))
	$(call PYTEST,.venv-latest)

test-oldest: .venv-oldest/ready  # the tests on the lower bounds of pyproject.toml
	$(call PYTEST,.venv-oldest)

test-light:  # what `pip install .` alone gives: plans and reports without torch
	$(call environment,.venv-light,-c requirements/lock.txt,.)
	! .venv-light/bin/python -c "import torch" 2> /dev/null
	.venv-light/bin/bench list > /dev/null
	.venv-light/bin/bench plan suites/nlp-small.yaml
	.venv-light/bin/bench status results/nlp-small
	.venv-light/bin/bench check results/nlp-small
	.venv-light/bin/bench report results/nlp-small --out build/light > /dev/null
	.venv-light/bin/bench lock suites/quickstart.yaml --results build/light; test $$? -eq 2

coverage: setup  # which lines the tests run: a table, and build/coverage/index.html
	$(call PYTEST,.venv) --cov --cov-report=term --cov-report=html

faults: setup  # really killed processes, really full disks; a line a row of docs/reliability.md
	OMP_NUM_THREADS=1 $(BIN)/pytest -m fault -n 2 --dist worksteal
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "" tests/fuzz

soak: setup  # 60 random kills over 20 sweeps, the cache damaged in between: some minutes
	OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python tests/faults/soak.py --sweeps 20 --kills 60

fuzz: setup  # two minutes of suites, records and plans that hold anything
	OMP_NUM_THREADS=1 FUZZ_SECONDS=120 $(BIN)/pytest -m "" tests/fuzz

statistics: setup  # how far verdicts and intervals can be trusted: simulations with planted truths
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/coverage.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/verdict.py

check: setup  # style, types, and that imports point down
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest tests/test_imports.py

lock:  # renews requirements/lock.txt: by the oldest Python, so that every later one can install it too
	$(call environment,.venv-lock,,$(ALL))
	.venv-lock/bin/pip freeze --all --exclude retrain-bench > requirements/lock.txt
	rm -rf .venv-lock

clean:  # removes the environments and what was built
	rm -rf .venv .venv-* build dist *.egg-info .coverage*
