# make quickstart: a first study on real images, from nothing to an HTML report.
# make test: the whole test suite, two files at a time, with a list of fonts of its own: one that another
# environment left in the home folder may lack the fonts that matplotlib ships. make lint: rules, format and types.
# Another interpreter: make PYTHON=python3.12 test. Another environment: make VENV=/tmp/env test.

PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin

.PHONY: quickstart test lint clean
.DELETE_ON_ERROR:

quickstart: $(VENV)/.installed
	$(RUN)/trionet-bench run quickstart

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 MPLCONFIGDIR=$(abspath $(VENV))/matplotlib $(RUN)/python -m pytest -n 2 --dist loadfile --durations 25

lint: $(VENV)/.installed-dev
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy

clean:
	rm -rf $(VENV)

$(VENV)/.installed: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(RUN)/python -m pip install --quiet -e .
	touch $@

$(VENV)/.installed-dev: setup.cfg pyproject.toml | $(VENV)/bin/python
	$(RUN)/python -m pip install --quiet -e ".[dev]"
	touch $@ $(VENV)/.installed

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --upgrade pip
