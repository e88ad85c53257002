# Everything a person types. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help demo replay approve refuse env dev lint test gate-trial monitoring-trial catalogue mlflow lock clean
SHELL := bash

VENV := .venv
BIN := $(VENV)/bin
# No tool that we call reports on its use to anybody.
export DO_NOT_TRACK := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DBT_SEND_ANONYMOUS_USAGE_STATS := false

# Without compiled modules, Airflow starts three times slower.
unexport PYTHONDONTWRITEBYTECODE

ARGUMENTS = $(if $(LEVEL),--level $(LEVEL)) $(if $(filter 0,$(UI)),--no-ui)

# The first interpreter on PATH that works (a pyenv shim may not) and is one that we support.
PYTHON = $(shell for python in python3.11 python3.12 python3; do \
	$$python -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' \
	2>/dev/null && echo $$python && break; done)

# uv does not read pip's configuration: pass on the index that pip was told to use.
UV = index="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(BIN)/pip config get global.index-url 2>/dev/null)}}"; \
	export $${index:+UV_DEFAULT_INDEX="$$index"} VIRTUAL_ENV="$(CURDIR)/$(VENV)"; $(BIN)/uv
COMPILE = pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z -]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: env ## Run the loop in a real Airflow: first champion, six weeks, summary, UI (LEVEL=0|1|2, WEEKS=6, UI=0)
	@$(BIN)/ratchet demo $(ARGUMENTS) --weeks $(or $(WEEKS),6)

replay: env ## The same through all of 2013 (LEVEL=1|2, UI=0)
	@$(BIN)/ratchet replay $(ARGUMENTS)

approve refuse: env ## Answer the candidate that waits for a person (LEVEL=0, REASON="…")
	@$(BIN)/ratchet $@ $(if $(LEVEL),--level $(LEVEL)) --reason "$(REASON)"

env: $(VENV)/.run ## Make .venv with what Ratchet runs on, hashes checked

dev: $(VENV)/.dev ## Add what tests and checks need to .venv

$(BIN)/uv:
	@test -n "$(PYTHON)" || { echo "Ratchet needs Python 3.11 or 3.12 with venv, and neither is on PATH; \
	install one (apt: python3.11-venv, brew: python@3.12) and try again." >&2; exit 1; }
	@echo "Making $(VENV) with $(PYTHON) …"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check uv

$(VENV)/.run: requirements.txt pyproject.toml | $(BIN)/uv
	@echo "Installing what Ratchet runs on …"
	@$(UV) pip install --quiet --require-hashes -r requirements.txt
	@$(UV) pip install --quiet --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@echo "Installing what tests and checks need …"
	@$(UV) pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@

lint: dev ## Check format, style, types and SQL; change nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --disable-progress-bar dbt_project

test: dev ## Run all tests, in three processes, as one of them mostly waits for Airflow
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

gate-trial: env ## Measure how often the gate errs: bad, better and equal candidates on flights
	@cd benchmarks && ../$(BIN)/python gate_trial.py

monitoring-trial: env ## Measure how often monitoring errs: false alarms a year, delay by size of shift
	@cd benchmarks && ../$(BIN)/python monitoring.py

catalogue: env ## Write one page on all tables: owners, state, lineage, and who uses a column
	@$(BIN)/ratchet catalogue

mlflow: env ## Show runs, versions and aliases in MLflow's own UI
	$(BIN)/mlflow server --host 127.0.0.1 --port $${MLFLOW_PORT:-5000} \
		--backend-store-uri "$$($(BIN)/python -c 'from ratchet.settings import Settings; print(Settings.load().mlflow_uri)')"

lock: $(BIN)/uv ## Compile requirements*.txt from requirements*.in
	@$(UV) $(COMPILE) requirements.in -o requirements.txt
	@$(UV) $(COMPILE) requirements-dev.in -o requirements-dev.txt

clean: ## Remove all state and build products; keep .venv
	rm -rf .ratchet dbt_project/target dbt_project/logs .mypy_cache .ruff_cache .pytest_cache
