# mk0r. `make help` lists the targets. Python 3.11 or newer, git and make are all a machine needs.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
MK0R_VAR ?= .var
# What the stand-ins were asked and answered while the tests ran; `make schemas` judges it.
TRAFFIC := $(abspath $(MK0R_VAR))/traffic

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 14

.venv/run.stamp: requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing what mk0r needs (once) …"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/dev.stamp: requirements.txt requirements-dev.txt .venv/run.stamp
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.PHONY: run
run: .venv/run.stamp ## start everything on this machine and print the URL; Ctrl-C stops it
	@exec $(BIN)/python manage.py up

.PHONY: stop
stop: .venv/run.stamp ## stop everything started from this checkout
	@$(BIN)/python manage.py stop

.PHONY: reset
reset: stop ## forget everything this checkout made: sessions, databases, repositories, mails, keys
	@chmod -R u+rwx "$(MK0R_VAR)" 2>/dev/null || true
	@rm -rf "$(MK0R_VAR)"
	@echo "Forgotten."

.PHONY: check
check: .venv/dev.stamp ## ruff, mypy, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

.PHONY: test
test: check ## every check and every test but the long ones
	@rm -rf "$(TRAFFIC)/test"
	@MK0R_CLOUD_TRAFFIC="$(TRAFFIC)/test" $(BIN)/pytest -n 2 --dist loadfile --ignore tests/faults --ignore tests/conformance -m "not long and not live"

.PHONY: test-long
test-long: .venv/dev.stamp ## tests that take minutes: storms at vendors, restarts, every page at every width, every group of staff
	@rm -rf "$(TRAFFIC)/test-long"
	@MK0R_CLOUD_TRAFFIC="$(TRAFFIC)/test-long" $(BIN)/pytest -n 2 --dist loadfile --ignore tests/faults --ignore tests/conformance -m "long and not live"

.PHONY: live
live: .venv/dev.stamp ## the providers' contract at real vendors, where LIVE_… keys are set (docs/providers.md); costs little
	@$(BIN)/pytest tests/contract -m live

.PHONY: conformance
conformance: .venv/dev.stamp ## drive the stand-ins with the vendors' own clients and print what was exercised
	@rm -rf "$(TRAFFIC)/conformance"
	@MK0R_CLOUD_TRAFFIC="$(TRAFFIC)/conformance" $(BIN)/pytest -n 2 --dist loadfile tests/conformance

.PHONY: schemas
schemas: .venv/dev.stamp ## check what the stand-ins said in `test`, `test-long` and `conformance` against the vendors' published schemas
	@$(BIN)/python -m tests.conformance.schemas "$(TRAFFIC)"

.PHONY: chaos-small
chaos-small: .venv/dev.stamp ## every fault experiment at the size CI runs, some minutes
	@$(BIN)/pytest tests/faults

.PHONY: chaos
chaos: .venv/dev.stamp ## break things on purpose: every fault experiment; ONLY="F2 F13", SIZE=small, or SECONDS=60 for a short storm
ifneq ($(origin SECONDS),command line)
	@$(BIN)/python -m tests.faults --size $(or $(SIZE),full) $(ONLY)
else
	@exec $(BIN)/python -m tests.faults.storm --seconds $(SECONDS)
endif

.PHONY: bench
bench: .venv/dev.stamp ## measure what the promises rest on, each against something in the same run
	@for file in bench/*.py; do echo "== $$file"; PYTHONPATH=. $(BIN)/python $$file || exit 1; done

.PHONY: screenshots
screenshots: .venv/dev.stamp ## take the screenshots of the documents anew, from a real installation (needs Chromium)
	@PYTHONPATH=. $(BIN)/python docs/screenshots.py
