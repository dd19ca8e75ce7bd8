# Every target makes the environment that it needs; nothing else is to be typed before.
PYTHON ?= python3
SUITE ?= quick
WORKLOAD ?=
ARGS ?=

VENV ?= .venv

BIN := $(VENV)/bin
# Test files side by side: most of their time is compiling on one core. In the order of their folders, so that those that
# take long begin first: xdist would keep files of few tests, some of which run whole suites, to the end.
SIDE_BY_SIDE := --numprocesses 2 --dist loadfile --no-loadscope-reorder
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help bench smoke test test-all check report doctor-cases speed clean

help: ## print the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 12

bench: $(READY) ## run a suite, end to end: make bench SUITE=quick WORKLOAD='digits-dense[depth=16]' ARGS='--seeds 3'
	$(BIN)/python -m bench run --suite $(SUITE) $(if $(WORKLOAD),--workload '$(WORKLOAD)') $(ARGS)

smoke: $(READY) ## run five arms for a few steps
	$(BIN)/python -m bench run --suite smoke $(ARGS)

test: $(READY) ## run the tests
	$(BIN)/python -m pytest -q $(SIDE_BY_SIDE) $(ARGS)

test-all: $(READY) ## run the tests, the long ones and those of the Ray cluster too
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[ray]'
	$(BIN)/python -m pytest -q $(SIDE_BY_SIDE) -m 'long or not long' $(ARGS)

check: $(READY) ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

report: $(READY) ## rebuild a run's tables, plots and page
	$(BIN)/python -m bench report results/runs/$(SUITE)

doctor-cases: $(READY) ## ask the doctor of every case and of five deep models, and write the tables of its answers
	$(BIN)/python -m tests.doctor_cases.table
	$(BIN)/python -m tests.doctor_cases.costs

speed: $(READY) ## measure this suite's own speed
	$(BIN)/python -m pytest bench/speed -q -p no:cacheprovider -o addopts= --benchmark-columns=median,iqr,rounds $(ARGS)

clean: ## remove the environment and the caches; results stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .benchmarks build dist *.egg-info

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(READY)
