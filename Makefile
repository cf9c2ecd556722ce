# Everything a stranger needs: `make install`, `make demo`, `make check`.
# Each step leaves a stamp in .venv, so that a second run does nothing and needs no network.

PYTHON ?= python3
WORKERS ?= 2
UV ?= uv

VENV := .venv
BIN := $(VENV)/bin
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore $(BIN)/python -m pip install --quiet
SOURCES := src tests $(wildcard benchmarks)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install demo test check format format-check lint types layers soak bench lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

install: $(VENV)/.installed ## put Vacancy into .venv (.venv/bin/vacancy)
	@echo "Vacancy is installed: $(BIN)/vacancy"

demo: install ## install, then serve a small demo on 127.0.0.1:8000
	@$(BIN)/vacancy demo

test: $(VENV)/.tested ## run the tests on both databases
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: format-check lint types layers test ## everything CI runs: format, lint, types, layers, tests

format: $(VENV)/.tested ## rewrite the code in the house format
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix-only --quiet $(SOURCES)

format-check: $(VENV)/.tested ## say which files are not in the house format
	@$(BIN)/ruff format --check --quiet $(SOURCES) || { echo "Run 'make format'." >&2; exit 1; }

lint: $(VENV)/.tested ## ruff
	@$(BIN)/ruff check --quiet $(SOURCES)

types: $(VENV)/.tested ## mypy, strict
	@$(BIN)/mypy --no-error-summary $(SOURCES)

layers: $(VENV)/.tested ## import-linter: imports go one way
	@$(BIN)/lint-imports > $(VENV)/layers.log 2>&1 || { cat $(VENV)/layers.log >&2; exit 1; }

soak: $(VENV)/.tested ## the tests that run for minutes
	@$(BIN)/python -m pytest -m soak $(ARGS)

bench: $(VENV)/.tested ## measure both sides in one run
	@$(BIN)/python -m benchmarks $(ARGS)

lock: ## resolve the lock files anew (needs uv)
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		pyproject.toml --group build --output-file requirements.lock
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		pyproject.toml --group build --group test --constraint requirements.lock \
		--output-file requirements-test.lock

clean: ## remove .venv, caches and builds (data directories stay)
	@rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# A shim named python3.12 may exist and yet not run, so each candidate is asked for its version.
$(VENV)/.made:
	@for python in $(PYTHON) python3.14 python3.13 python3.12 python3.11; do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Making .venv with $$($$python --version)"; \
			$$python -m venv $(VENV) && touch $@ && exit 0; \
			echo "Its venv module does not work; on Debian and Ubuntu install python3-venv." >&2; \
			exit 1; \
		fi; \
	done; \
	found=$$($(PYTHON) --version 2>/dev/null || echo "not there"); \
	echo "Vacancy needs Python 3.11 or newer; '$(PYTHON)' is $$found." >&2; \
	echo "Install one, or name it: make install PYTHON=/path/to/python3.11" >&2; \
	exit 1

$(VENV)/.locked: requirements.lock $(VENV)/.made
	@echo "Installing the locked dependencies"
	@$(PIP) --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.installed: pyproject.toml src/vacancy/__init__.py $(VENV)/.locked
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.tested: requirements-test.lock $(VENV)/.installed
	@echo "Installing what the tests need, PostgreSQL included"
	@$(PIP) --require-hashes -r requirements-test.lock
	@touch $@
