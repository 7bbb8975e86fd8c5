# make run          a demonstration: the switch, three agents, and a customer who calls
# make test         lint, types and the tests (some 20 minutes on two cores); make test-all has the long ones too
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
# First what needs no other program, or a page before a scripted switch, then real programs in real time: one more at a
# time than there are cores, since the soak, the pages and calls in real time wait for most of theirs, calls for two
# thirds of it. They bear neighbours, but not a whole crowd, and two more at a time than cores are one: what is measured
# is the switch, which goes before all else, and its own part in a pause. The files of real programs are begun in the
# order of tests/conftest.py, not of how many tests each has, by which those with browsers, which have few and work the
# most, all came at once in the end. What measures a way in milliseconds has the machine to itself.
CORES := $(shell nproc)
ALONE := tests/bench/test_latency.py tests/browser/test_round_trip.py tests/interop/test_player.py
PEERS := tests/browser tests/interop tests/sip/test_interop_sipp.py tests/sip/test_scenarios.py \
	tests/switch/test_recording_process.py
define TESTS
	$(BIN)/python -m pytest -n $$(( $(CORES) + 1 )) --dist worksteal $(PEERS:%=--ignore=%) $(ALONE:%=--ignore=%)
	$(BIN)/python -m pytest -n $$(( $(CORES) + 1 )) --dist loadfile --no-loadscope-reorder $(PEERS) $(ALONE:%=--ignore=%)
	$(BIN)/python -m pytest $(ALONE)
endef

.PHONY: run test test-all planted check bench screenshots tools clean
.DEFAULT_GOAL := run

run: $(VENV)/.installed
	@exec $(BIN)/cordboard demo

test: tools check
	$(TESTS)

test-all: export PYTEST_ADDOPTS := --long
test-all: tools check
	$(TESTS)
	$(BIN)/python -m tests.planted

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
