# One line of work each; CI runs the same. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
PREFIX ?= /opt/ccserver
BIN := .venv/bin
# The tests start hundreds of processes: what is compiled is kept, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE
# So many real-PBX tests at once; each worker has a network of its own. They mostly wait.
WORKERS ?= 4
# What takes longest begins first, so that no worker is left with it at the end.
QUICK := tests/simulation tests/property tests/edges tests/unit

.PHONY: help demo run test check dev provide lint format formatted types layers unit property simulation edges quick e2e bench docs clean install

help: ## This list
	@grep -hE '^[a-z0-9]+:.*## ' Makefile | sed -E 's/^([a-z0-9]+):[^#]*## /\1\t/' | expand -t 14

demo: .venv/run ## Real calls through the example center (DEMO_SECONDS, DEMO_JSON, DEMO_SEED, DEMO_DIR)
	@$(BIN)/python -m ccserver.lab.demo

run: .venv/run ## The same stack for phones of your own (SIP_ADDRESS, RUN_DIR, CENTER)
	@$(BIN)/python -m ccserver.lab.run

test: .venv/dev ## Everything, the tests against a real Asterisk too
	@$(MAKE) --no-print-directory -j2 --keep-going --output-sync=target check provide
	@$(MAKE) --no-print-directory quick
	@$(MAKE) --no-print-directory e2e

check: lint formatted types layers ## What needs no test run

dev: .venv/dev ## The virtual environment with all tools

provide: .venv/dev ## Asterisk 22 and the Debian packages that are missing
	@$(BIN)/python -m ccserver.lab.provide

lint: .venv/dev ## Ruff's rules
	@$(BIN)/ruff check

format: .venv/dev ## Lay out the code
	@$(BIN)/ruff format && $(BIN)/ruff check --fix

formatted: .venv/dev
	@$(BIN)/ruff format --check

types: .venv/dev ## mypy --strict
	@$(BIN)/mypy

layers: .venv/dev ## Which module may import which
	@$(BIN)/lint-imports

unit property simulation edges: .venv/dev ## One folder of tests
	@$(BIN)/pytest tests/$@

quick: .venv/dev ## All tests without an Asterisk
	@$(BIN)/pytest -n 2 --dist worksteal $(QUICK)

e2e: .venv/dev provide ## The tests against a real Asterisk and real phones
	@PYTHONPATH=tests $(BIN)/python tests/real_pbx_run.py -n $(WORKERS) --dist loadfile --no-loadscope-reorder

bench: .venv/dev ## What costs what
	@set -e; for each in tests/bench/bench_*.py; do echo "== $$each"; $(BIN)/python $$each; done

docs: .venv/dev ## Write the generated pages
	@$(BIN)/python -m ccserver.config.reference > docs/configuration.md
	@$(BIN)/python -m ccserver.config.flow_pages docs/flows

install: ## Into PREFIX (default /opt/ccserver), for systemd/ccserver.service
	@$(PYTHON) -m venv $(PREFIX) && $(PREFIX)/bin/pip install --quiet .

clean: ## Take away what was built
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The virtual environments: made again when the dependencies change.
.venv/run: setup.cfg pyproject.toml
	@echo "python: installing what is needed into .venv (a minute, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[phones]'
	@touch $@

.venv/dev: setup.cfg pyproject.toml
	@echo "python: installing the tools into .venv (a minute, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -e '.[phones,dev]'
	@touch .venv/run $@
