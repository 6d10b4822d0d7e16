# make demo, make test, make lint, make bench, make docs: each installs what it needs into .venv.
# On a fresh machine nothing but make, Python 3.11 or later with its headers, and a C++20 compiler (g++ 11 or
# clang 14) is needed. PYTHON=... chooses another Python, CXX=... another compiler.

VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check
WORKERS ?= 2

# The first that is there, runs (a version manager's shim may not), is recent enough, can make virtual
# environments, and has the headers to compile against.
HEADER := os.path.join(sysconfig.get_path('include'), 'Python.h')
SUITABLE := import ensurepip, os, sys, sysconfig, venv; \
	sys.exit(sys.version_info < (3, 11) or not os.path.exists($(HEADER)))
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	if $$p -c "$(SUITABLE)" >/dev/null 2>&1; then echo $$p; break; fi; done)

NATIVE := runtime/CMakeLists.txt $(wildcard runtime/*.[ch]pp runtime/*/*.[ch]pp)
# The virtual environment's cmake and ninja first: a machine's may be too old.
NATIVE_PATH := PATH="$(abspath $(VENV))/bin:$$PATH"

.PHONY: help demo test native-test sanitize lint format bench bench-runtime bench-inplace bench-memory
.PHONY: bench-checkpoint docs nox clean FORCE
.NOTPARALLEL:

help:
	@echo "make demo    train a network on digits and a character model on a licence, in plain NumPy"
	@echo "make test    run the tests, the runtime's own first"
	@echo "make lint    ruff and mypy"
	@echo "make format  let ruff put the code in order"
	@echo "make bench   time small programs against autograd and tangent-ad"
	@echo "make docs    build the documentation into site/"
	@echo "make nox     run the tests on every Python from 3.11 to 3.13 that is here"
	@echo "make native-test    the runtime's own tests, in C++"
	@echo "make sanitize       the same under the thread, address and undefined-behaviour sanitizers"
	@echo "make bench-runtime  time the runtime against NumPy and torch, which it installs (gigabytes)"
	@echo "make bench-inplace  time programs that write in place against JAX, which it installs with torch"
	@echo "make bench-memory   memory and time beside torch, autograd and JAX, which it installs"
	@echo "make bench-checkpoint  gradients within a budget of memory, beside JAX and torch, which it installs"

demo: $(VENV)/installed-demo
	$(RUN) -m examples.demo

# Programs and rules a second time with every kernel on the workers, in small parts.
test: native-test $(VENV)/installed-test,demo
	MYIA_QUEUED=1 $(RUN) -m pytest -q -n $(WORKERS) --dist worksteal tests/test_programs.py tests/rules tests/test_regressions.py
	$(RUN) -m pytest -n $(WORKERS) --dist worksteal

# -G: without it CMake takes make, which compiles one file after another.
native-test: $(VENV)/build-tools
	$(NATIVE_PATH) cmake -S runtime -B build/native -G Ninja -DMYIA_MODULE=OFF -DMYIA_NATIVE_TESTS=ON
	$(NATIVE_PATH) cmake --build build/native
	$(NATIVE_PATH) ctest --test-dir build/native --output-on-failure --no-tests=error --parallel $(WORKERS)

sanitize: $(VENV)/build-tools
	$(NATIVE_PATH) runtime/tests/sanitize.sh

lint: $(VENV)/installed-lint
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

format: $(VENV)/installed-lint
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

bench: $(VENV)/installed-bench
	$(RUN) -m benchmarks.small_ops --save

bench-runtime: $(VENV)/installed-bench,bench-peers
	$(RUN) -m benchmarks.runtime

bench-inplace: $(VENV)/installed-bench,bench-peers
	$(RUN) -m benchmarks.inplace

bench-memory: $(VENV)/installed-bench,bench-peers
	$(RUN) -m benchmarks.memory

bench-checkpoint: $(VENV)/installed-bench,bench-peers
	$(RUN) -m benchmarks.checkpoint

docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict

nox: $(VENV)/installed-dev
	$(RUN) -m nox

# One stamp for each list of extras, so that a second run installs nothing.
$(VENV)/installed-%: pyproject.toml | $(VENV)/built
	$(PIP) --no-build-isolation --editable '.[$*]'
	@touch '$@'

# The compiled module. Without isolation the headers stay where they were, so only what changed is compiled.
$(VENV)/built: pyproject.toml $(VENV)/sources $(NATIVE) | $(VENV)/build-tools
	$(PIP) --no-build-isolation --no-deps --editable .
	@touch '$@'

# The names of all sources, touched when one comes or goes: an editable install knows modules by their files.
$(VENV)/sources: FORCE | $(VENV)/bin/python
	@find myia runtime -name '*.py' -o -name '*.[ch]pp' | LC_ALL=C sort >'$@.now'
	@cmp -s '$@.now' '$@' && rm '$@.now' || mv '$@.now' '$@'

# What pyproject.toml builds and runs with, and the tools that compile the tests (which need the BLAS).
READ := import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))
NEEDED := *p['build-system']['requires'], *p['project']['dependencies']
$(VENV)/build-tools: pyproject.toml | $(VENV)/bin/python
	@$(RUN) -c "$(READ); print($(NEEDED), sep='\n')" >'$@.txt'
	$(PIP) --requirement '$@.txt' 'cmake>=3.26' 'ninja>=1.11'
	@touch '$@'

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or later with venv and headers found; set PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf build dist site myia/_runtime*.so .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
