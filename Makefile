# What one does with a clone. Each target first makes the environment: see .ci/environment.py.

SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTHON := $(BIN)/python
WORKERS ?= 2

WEB := .cache/web

.PHONY: help tour test crash monkey e2e web check bench fmt environment

help: ## Shows this list.
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

tour: environment ## Drives one whole session in a small repository of its own; answers by itself without a terminal.
	@$(PYTHON) -m agentos_lsp tour

test: environment ## Runs the whole suite, in random order, warnings as errors.
	@$(PYTHON) -m pytest -n $(WORKERS) -q $(ARGS)

crash: environment ## Kills the server and the daemon at every event of a session; make test takes some.
	@CRASH_BOUNDARIES=all $(PYTHON) -m pytest -n $(WORKERS) -q tests/test_crash.py tests/daemon/test_daemon_crash.py $(ARGS)

monkey: environment ## Lets a monkey do 5,000 things to a person's work on real git; make test takes some.
	@MONKEY_STEPS=5000 $(PYTHON) -m pytest -q -p no:randomly tests/runtime/test_monkey.py $(ARGS)

e2e: environment ## Drives a real Neovim, Emacs, Helix, VS Code workbench and the demo's page against the real server; installs them into .cache/.
	@tests/e2e/install_neovim.sh .cache/neovim
	@tests/e2e/install_emacs.sh .cache/emacs
	@tests/e2e/install_helix.sh .cache/helix
	@tests/e2e/install_vscode.sh .cache/vscode $(PYTHON)
	@tests/e2e/build_vsix.sh .cache/vscode $(PYTHON)
	@PATH="$(CURDIR)/.cache/vscode/bin:$$PATH" editors/web/build.sh $(WEB) $(PYTHON)
	@$(PYTHON) -m pytest tests/e2e -q -p no:randomly $(ARGS)

web: environment ## Builds the page of `agentos-lsp demo --web`; needs node.
	@editors/web/build.sh $(WEB) $(PYTHON)

check: environment ## Checks style, types and the import contracts.
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@$(BIN)/lint-imports --cache-dir .cache/import_linter

bench: environment ## Prints benchmarks as ratios and medians, with the machine's noise.
	@for file in tests/bench/bench_*.py; do \
	    name=$$(basename "$$file" .py); \
	    echo "== $$name"; \
	    $(PYTHON) -m "tests.bench.$$name" || exit 1; \
	done

fmt: environment ## Formats the Python files and sorts their imports.
	@$(PYTHON) -m ruff check --select I --fix-only --quiet .
	@$(PYTHON) -m ruff format .

# Cheap when nothing changed: the script compares one stamp and ends.
environment:
	@for name in $(AGENTOS_PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	    if "$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then \
	        exec "$$name" .ci/environment.py; \
	    fi; \
	done; \
	echo "agentos-lsp needs Python 3.11, 3.12 or 3.13, and none was found on PATH." >&2; \
	echo "Install one (Debian: apt install python3 python3-venv; macOS: brew install python@3.13), or name it:" >&2; \
	echo "    make AGENTOS_PYTHON=/path/to/python3.12 tour" >&2; \
	exit 1
