# Two commands on a fresh machine with Python 3.11+, pip and make: `make demo` and `make test`.
.DEFAULT_GOAL := help
.PHONY: help env demo test test-whole lint check test-own-clients agree test-clients test-peers bench-analysis bench-online bench-segments calibration simulate-adaptive simulate-policy format lock clean

# Tests start processes by the hundred: what they compile is kept, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
# One more than there are processors: tests of whole processes wait for most of their time.
WORKERS ?= $(shell $(PYTHON) -c "import os; print((os.cpu_count() or 1) + 1)")
BIN := .venv/bin
VENV := .venv/.made
RUNTIME := .venv/.runtime
DEV := .venv/.dev
CALIBRATION := .venv/.calibration
PEERS_BIN := var/peers/bin
PEERS := var/peers/.made
ONLINE_BIN := var/online/bin
ONLINE := var/online/.made
UNLEASH := benchmarks/online/unleash
CLIENTS_BIN := var/clients/bin
CLIENTS := var/clients/.made
JS_MODULES := clients/js/node_modules/.made
JS := clients/js/dist/.made

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(RUNTIME) ## make the environment

demo: $(RUNTIME) ## run a whole experiment and keep serving (ONCE=1: exit after printing, CSV=FILE: replay a file)
	$(BIN)/winnow demo $(if $(ONCE),--once) $(if $(CSV),--csv "$(CSV)")

test: $(DEV) ## run all tests, on SQLite and PostgreSQL
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

test-whole: $(DEV) ## the same, with checks by chance repeated as often as our documents state
	WINNOW_TEST_WHOLE=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(DEV) ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint ## the same and the fast tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not slow"

test-peers: $(PEERS) ## cross-check the statistics against gbstats and tea-tasting
	$(PEERS_BIN)/python -m pytest tests/peers

test-clients: $(CLIENTS) $(JS) ## run other people's clients, and ours, against the running server (needs Node 20 and npm)
	$(CLIENTS_BIN)/python -m pytest tests/clients

test-own-clients: $(DEV) $(CLIENTS) $(JS) ## run the tests of Winnow's own clients, clients/python and clients/js (needs Node 20 and npm)
	$(BIN)/python -m pytest clients/python/tests
	$(CLIENTS_BIN)/python -m pytest clients/python/tests/test_openfeature.py
	cd clients/js && npm test --silent

agree: $(DEV) $(JS) ## ask server, lane, bulk and our clients the same of 1,000,000 random units (QUICK=1: 20,000; needs Node)
	PYTHONPATH=.:clients/python $(BIN)/python -m tests.clients.agreement $(if $(QUICK),--quick)

bench-analysis: $(if $(QUICK),$(DEV),$(PEERS)) ## measure the analysis beside its peers (QUICK=1: only whether sides agree, JSON=FILE)
	$(if $(QUICK),$(BIN),$(PEERS_BIN))/python -m benchmarks.analysis $(if $(QUICK),--quick) $(if $(JSON),--json "$(JSON)")

bench-online: $(if $(QUICK),$(DEV),$(ONLINE)) ## measure the online plane beside bare servers and peers (QUICK=1, JSON=FILE, GROW=50000000)
	PYTHONPATH=.:clients/python $(if $(QUICK),$(BIN),$(ONLINE_BIN))/python -m benchmarks.online $(if $(QUICK),--quick) $(if $(JSON),--json "$(JSON)") \
		$(if $(GROW),--grow $(GROW))

bench-segments: $(DEV) ## measure customers and segments beside the bare queries (QUICK=1: only whether sides agree, JSON=FILE)
	$(BIN)/python -m benchmarks.segments $(if $(QUICK),--quick) $(if $(JSON),--json "$(JSON)")

calibration: $(CALIBRATION) ## measure the engine's error rates and write docs/statistics/calibration.md (RUNS=10000)
	$(BIN)/python -m calibration $(if $(RUNS),--runs $(RUNS))

simulate-policy: $(CALIBRATION) ## play whole experiments through the real worker, write docs/simulation/policy.md (RUNS=2000, JSON=FILE)
	$(BIN)/python -m simulation.policy $(if $(RUNS),--runs $(RUNS)) $(if $(JSON),--json "$(JSON)")

simulate-adaptive: $(CALIBRATION) ## simulate adaptive against fixed splits and write docs/simulation/adaptive.md (RUNS=10000)
	$(BIN)/python -m simulation.adaptive $(if $(RUNS),--runs $(RUNS))

format: $(DEV) ## put the code in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(DEV) ## resolve the dependencies anew, with hashes and without index addresses
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --group build $(LOCK) -o requirements/runtime.txt
	$(BIN)/uv pip compile pyproject.toml --group build --group dev $(LOCK) -o requirements/dev.txt
	$(BIN)/uv pip compile pyproject.toml --group build --group calibration $(LOCK) -o requirements/calibration.txt
	$(BIN)/uv pip compile pyproject.toml --group build --group dev --group peers \
		--override requirements/peers-overrides.txt $(LOCK) -o requirements/peers.txt
	$(BIN)/uv pip compile pyproject.toml --group build --group online-peers \
		--override requirements/online-peers-overrides.txt $(LOCK) -o requirements/online-peers.txt
	$(BIN)/uv pip compile pyproject.toml --group build --group clients $(LOCK) -o requirements/clients.txt

clean: ## remove the environment and everything that was made
	rm -rf .venv var build dist clients/js/dist clients/js/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

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

$(CALIBRATION): requirements/calibration.txt $(RUNTIME)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/calibration.txt
	@touch $@

# Without looking for conflicts: the lock overrides two bounds of a peer (numpy < 2, pandas < 2), so that all sides run
# on the same numpy.
$(PEERS): requirements/peers.txt pyproject.toml | $(VENV)
	@echo "Making var/peers and installing the peers into it: two minutes …"
	$(BIN)/python -m venv var/peers
	$(PEERS_BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/peers.txt
	$(PEERS_BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Without looking for conflicts: the lock overrides a bound of a peer's (platformdirs < 4). Unleash's server needs Node 20
# and npm; without them that side is reported as missing, as all sides are that need wrk where there is none.
$(ONLINE): requirements/online-peers.txt $(UNLEASH)/package-lock.json pyproject.toml | $(VENV)
	@echo "Making var/online and installing the peers into it: two minutes …"
	$(BIN)/python -m venv var/online
	$(ONLINE_BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/online-peers.txt
	$(ONLINE_BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	if command -v npm > /dev/null; then \
		cd $(UNLEASH) && npm ci --silent --no-audit --no-fund --ignore-scripts || echo "Unleash's server is left out."; \
	fi
	@touch $@

$(CLIENTS): requirements/clients.txt $(wildcard tests/clients/*/package-lock.json) pyproject.toml | $(VENV)
	@echo "Making var/clients and installing the clients into it: a minute …"
	$(BIN)/python -m venv var/clients
	$(CLIENTS_BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/clients.txt
	$(CLIENTS_BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	for each in node web; do (cd tests/clients/$$each && npm ci --silent --no-audit --no-fund) || exit 1; done
	@touch $@

$(JS_MODULES): clients/js/package-lock.json
	cd clients/js && npm ci --silent --no-audit --no-fund
	@touch $@

$(JS): $(JS_MODULES) $(wildcard clients/js/src/*.ts) clients/js/package.json clients/js/tsconfig.json
	cd clients/js && npm run --silent build
	@touch $@
