# Two commands on a fresh machine with Python 3.11+, pip and make: `make demo` and `make test`.
.DEFAULT_GOAL := help
.PHONY: help env demo test check format lock clean

PYTHON ?= python3
BIN := .venv/bin
VENV := .venv/.made
RUNTIME := .venv/.runtime
DEV := .venv/.dev

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(RUNTIME) ## make the environment

demo: $(RUNTIME) ## run a whole experiment and keep serving (ONCE=1: exit after printing, CSV=FILE: replay a file)
	$(BIN)/winnow demo $(if $(ONCE),--once) $(if $(CSV),--csv "$(CSV)")

test: $(DEV) ## run all tests, on SQLite and PostgreSQL
	$(BIN)/python -m pytest -n auto

check: $(DEV) ## format, lint, types, import contracts, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto -m "not slow"

format: $(DEV) ## put the code in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(DEV) ## resolve the dependencies anew, with hashes and without index addresses
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --group build $(LOCK) -o requirements/runtime.txt
	$(BIN)/uv pip compile pyproject.toml --group build --group dev $(LOCK) -o requirements/dev.txt

clean: ## remove the environment and everything that was made
	rm -rf .venv var build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links

$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit("Winnow needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	@echo "Making .venv and installing into it: about a minute …"
	@mkdir -p var
	$(PYTHON) -m venv .venv
	@touch $@

$(RUNTIME): requirements/runtime.txt pyproject.toml | $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.txt $(RUNTIME)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
