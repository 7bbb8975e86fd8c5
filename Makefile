# make run          a demonstration: the switch, three agents, and a customer who calls
# make test         lint, types and the tests (some 19 minutes on two cores); make test-all has the long ones too
# make check        lint and types alone
# make planted      breaks the product in many ways, one at a time, and looks whether the tests notice
# make bench        how many legs this machine holds
# make screenshots  the pictures of docs/screenshots, of a centre at work
#
# Python 3.11 or newer as PYTHON; everything is installed into VENV and nowhere else.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# What is imported is compiled once, and not by every process that the tests start.
unexport PYTHONDONTWRITEBYTECODE
PACKAGES := actors bench codecs sip switch web
# First what takes its time and a browser: pages before a scripted switch, the soak, the walk, one more at a time than
# there are cores, since the soak waits for most of its time; lint and types go beside them. Then all that needs no other
# program and nobody's time, and then real programs in real time, one more at a time than cores again: calls wait for
# two thirds of theirs. They bear neighbours, but not a whole crowd, and two more at a time than cores are one; nobody is
# beside one that is tried again. What is measured is the switch, which goes before all else, and its own part in a
# pause. The files of real programs are begun in the order of tests/conftest.py, not of how many tests each has, by
# which those with browsers, which have few and work the most, all came at once in the end. What measures a way in
# milliseconds has the machine to itself.
CORES := $(shell nproc)
MORE := $$(( $(CORES) + 1 ))
ALONE := tests/bench/test_latency.py tests/browser/test_round_trip.py tests/interop/test_player.py
FIRST := tests/page tests/bench tests/actors/test_walk.py
PEERS := tests/browser tests/interop tests/sip/test_interop_sipp.py tests/sip/test_scenarios.py \
	tests/switch/test_recording_process.py
PYTEST := $(BIN)/python -m pytest
# Each step ends with all that was begun in it, also where something in it failed.
define TESTS
	@$(MAKE) --no-print-directory -j2 check test-first
	@$(MAKE) --no-print-directory test-others
	@$(MAKE) --no-print-directory test-peers
	$(PYTEST) $(ALONE)
endef

.PHONY: run test test-all test-first test-peers test-others planted check bench screenshots tools clean
.DEFAULT_GOAL := run

run: $(VENV)/.installed
	@exec $(BIN)/cordboard demo

test: tools
	$(TESTS)

test-all: export PYTEST_ADDOPTS := --long
test-all: tools
	$(TESTS)
	$(BIN)/python -m tests.planted

test-first: $(VENV)/.installed-dev
	$(PYTEST) -n $(MORE) --dist worksteal $(FIRST) $(ALONE:%=--ignore=%)

test-peers: $(VENV)/.installed-dev
	$(PYTEST) -n $(MORE) --dist loadfile --no-loadscope-reorder $(PEERS) $(ALONE:%=--ignore=%)

test-others: $(VENV)/.installed-dev
	$(PYTEST) -n $(MORE) --dist worksteal $(FIRST:%=--ignore=%) $(PEERS:%=--ignore=%) $(ALONE:%=--ignore=%)

planted: $(VENV)/.installed-dev
	$(BIN)/python -m tests.planted

check: $(VENV)/.installed-dev .typing
	$(BIN)/ruff check .
	$(BIN)/mypy $(PACKAGES:%=-p cordboard.%)
	$(BIN)/mypy tests

bench: $(VENV)/.installed
	$(BIN)/cordboard bench density

screenshots: $(VENV)/.installed-dev tools
	$(BIN)/python -m cordboard.bench.screenshots docs/screenshots

tools:
	@.ci/tools

# Type checkers read the packages under their installed name.
.typing: $(PACKAGES:%=.typing/cordboard/%)

.typing/cordboard/%:
	@mkdir -p $(@D)
	@ln -sfn ../../$* $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "Cordboard needs Python 3.11 or newer; $(PYTHON) is: $$($(PYTHON) --version 2>&1)." >&2; \
	    echo "Another one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "Python cannot make virtual environments here. On Debian and Ubuntu:" >&2; \
	    echo "    sudo apt-get install python3-venv" >&2; exit 2; }
	@echo "Making a virtual environment in $(VENV)."
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "Installing Cordboard and the packages it needs into $(VENV); this takes a minute or two the first time."
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	@echo "Installing Cordboard, the packages it needs and those of its tests into $(VENV); this takes some minutes."
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) .typing .mypy_cache .pytest_cache .ruff_cache .hypothesis build *.egg-info
