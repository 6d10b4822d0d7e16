# make demo, make test, make lint, make bench, make docs: each installs what it needs into .venv.
# On a fresh machine nothing but make and Python 3.11 or later is needed; PYTHON=... chooses another.

VENV := .venv
RUN := $(VENV)/bin/python
WORKERS ?= 2

# The first that is there, runs (a version manager's shim may not), is recent enough, and can make
# virtual environments.
SUITABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	if $$p -c "$(SUITABLE)" >/dev/null 2>&1; then echo $$p; break; fi; done)

.PHONY: help demo test lint format bench docs nox clean
.NOTPARALLEL:

help:
	@echo "make demo    train a network on digits and a character model on a licence, in plain NumPy"
	@echo "make test    run the tests"
	@echo "make lint    ruff and mypy"
	@echo "make format  let ruff put the code in order"
	@echo "make bench   time small programs against autograd and tangent-ad"
	@echo "make docs    build the documentation into site/"
	@echo "make nox     run the tests on every Python from 3.11 to 3.13 that is here"

demo: $(VENV)/installed-demo
	$(RUN) -m examples.demo

test: $(VENV)/installed-test,demo
	$(RUN) -m pytest -n $(WORKERS)

lint: $(VENV)/installed-lint
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

format: $(VENV)/installed-lint
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

bench: $(VENV)/installed-bench
	$(RUN) -m benchmarks.small_ops --save

docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict

nox: $(VENV)/installed-dev
	$(RUN) -m nox

# One stamp for each list of extras, so that a second run installs nothing.
$(VENV)/installed-%: pyproject.toml | $(VENV)/bin/python
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch '$@'

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or later with venv found; set PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
