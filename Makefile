# The two commands to know are `make reproduce` and `make test`; `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
# The seed of a reproduction; several as SEEDS="0 1 2".
SEEDS ?= 0
FRAPPE ?=
NOTE ?=
CRITEO ?=
AVAZU ?=
# Rows of a generated log, in place of the real one.
ROWS ?=
# Epochs after which training stops; as long as validation gains, if empty.
EPOCHS ?=

PY := $(VENV)/bin/python
READY := $(VENV)/.ready
REPRODUCE = $(if $(ROWS),--rows=$(ROWS)) $(if $(EPOCHS),--max_epochs=$(EPOCHS)) \
  $(foreach seed,$(SEEDS),--seeds=$(seed))

.PHONY: help setup reproduce reproduce-frappe reproduce-criteo reproduce-avazu test test-fast lint clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

setup: $(READY)  ## make the environment in .venv, from setup.py and constraints.txt

$(READY): setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python 3.11 or newer is needed; name one with PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "error: no virtual environments here; on Debian: apt-get install python3-venv"; exit 1; }
	$(PY) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

reproduce: $(READY)  ## train on the paper's synthetic Rules 1 to 3, draw Figures 8 to 10
	$(PY) -m experiments.synthetic $(foreach seed,$(SEEDS),--seeds=$(seed))

reproduce-frappe: $(READY)  ## train on Frappe beside the paper's Table 3: FRAPPE=<folder>
	@$(if $(FRAPPE),,echo "usage: make $@ FRAPPE=<folder of the original files>")
	$(PY) -m experiments.frappe --raw_dir=$(FRAPPE) --note="$(NOTE)"

reproduce-criteo: $(READY)  ## Criteo beside Tables 1 and 3: CRITEO=<train.txt>, or ROWS=200000 to try
	$(PY) -m experiments.reproduce --dataset=criteo $(if $(CRITEO),--log="$(CRITEO)") $(REPRODUCE)

reproduce-avazu: $(READY)  ## Avazu beside Tables 1 and 3: AVAZU=<train.csv>, or ROWS=200000 to try
	$(PY) -m experiments.reproduce --dataset=avazu $(if $(AVAZU),--log="$(AVAZU)") $(REPRODUCE)

test: $(READY)  ## run all tests
	$(PY) -m pytest -n 2 --dist=loadfile

test-fast: $(READY)  ## run the tests that take less than two minutes together
	$(PY) -m pytest -n 2 --dist=loadfile -m "not slow"

lint: $(READY)  ## check style and format
	$(PY) -m ruff check
	$(PY) -m ruff format --check

clean:  ## remove prepared data and runs, but not the results
	rm -rf prepared runs
