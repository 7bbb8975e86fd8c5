# make run          a demonstration: the switch, three agents, and a customer who calls
# make test         lint, types and the tests (a few minutes); make test-all has the long ones too
# make check        lint and types alone
# make bench        how many legs this machine holds
# make screenshots  the pictures of docs/screenshots, from the running demonstration
#
# Python 3.11 or newer as PYTHON; everything is installed into VENV and nowhere else.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PACKAGES := actors bench codecs sip switch web
# What measures real programs in real time has the machine to itself. All else runs beside each other, as many at a time as
# there are cores, the soak and pages before a scripted switch too: they wait for most of their time.
ALONE := tests/bench/test_latency.py tests/browser tests/interop tests/sip/test_interop_sipp.py \
	tests/sip/test_scenarios.py tests/switch/test_recording_process.py
BESIDE := -n $(shell nproc) --dist worksteal $(ALONE:%=--ignore=%)

.PHONY: run test test-all check bench screenshots tools clean
.DEFAULT_GOAL := run

run: $(VENV)/.installed
	@exec $(BIN)/cordboard demo

test: tools check
	$(BIN)/python -m pytest $(BESIDE)
	$(BIN)/python -m pytest $(ALONE)

test-all: tools check
	$(BIN)/python -m pytest --long $(BESIDE)
	$(BIN)/python -m pytest --long $(ALONE)

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
