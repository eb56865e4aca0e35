# The two commands to know are `make reproduce` and `make test`; `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
# The seed of a reproduction; several as SEEDS="0 1 2".
SEEDS ?= 0
FRAPPE ?=
NOTE ?=
CRITEO ?=
AVAZU ?=
MOVIELENS ?=
# Where results go; RESULTS=experiments/results overwrites the published ones.
RESULTS ?= runs/results
# Rows of a generated log, in place of the real one, and whose format it has.
ROWS ?=
LOG ?= criteo
# How Frappe is split: nfm, usage_log or unseen_pairs.
SPLIT ?= nfm
# Models of Table 3, as MODELS="dnn interhat"; all, if empty, but for reproduce-criteo and -avazu,
# which train InterHAt alone unless it is `all` or some of them.
MODELS ?=
# Epochs after which training stops; as long as validation gains, if empty.
EPOCHS ?=

PY := $(VENV)/bin/python
READY := $(VENV)/.ready
OF_SEEDS = $(if $(EPOCHS),--epochs=$(EPOCHS)) $(foreach seed,$(SEEDS),--seeds=$(seed))

OF_MODELS = $(foreach model,$(filter-out all,$(MODELS)),--models=$(model))

# The data of Table 3, Figures 3 and 4: Criteo, Avazu, a generated log of either, MovieLens, Frappe.
ON = $(if $(CRITEO),--dataset=criteo --raw_dir="$(CRITEO)",$(if $(AVAZU),--dataset=avazu \
  --raw_dir="$(AVAZU)",$(if $(ROWS),--dataset=$(LOG) --generate=$(ROWS),$(if $(MOVIELENS), \
  --dataset=movielens_ctr --raw_dir="$(MOVIELENS)",--dataset=frappe/$(SPLIT) \
  --raw_dir="$(FRAPPE)")))) $(if $(EPOCHS),--epochs=$(EPOCHS)) --note="$(NOTE)"

ON_MOVIELENS = --dataset=movielens_ctr $(if $(MOVIELENS),--raw_dir="$(MOVIELENS)") \
  $(if $(EPOCHS),--epochs=$(EPOCHS))

.PHONY: help setup page reproduce reproduce-frappe reproduce-criteo reproduce-avazu reproduce-movielens \
  table-3 figure-2 figure-3 figure-4 benchmark benchmark-gpu guard faithfulness tables test test-fast test-sanitized \
  lint docs pictures demo clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

setup: $(READY)  ## make the environment in .venv, from setup.py and constraints.txt

$(READY): setup.py constraints.txt $(wildcard interhat_tf/kernels/*.cc interhat_tf/kernels/*.h)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python 3.11 or newer is needed; name one with PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "error: no virtual environments here; on Debian: apt-get install python3-venv"; exit 1; }
	$(PY) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@$(PY) -m interhat_tf.kernels || echo "training on this CPU will use TensorFlow's own operations, which are slower"
	@touch $@

reproduce: $(READY)  ## train on the paper's synthetic Rules 1 to 3, draw Figures 8 to 10
	$(PY) -m experiments.paper.figures_8_to_10 --results_dir="$(RESULTS)" $(OF_SEEDS)

reproduce-frappe: table-3 figure-3 figure-4  ## Frappe beside Table 3, Figures 3 and 4: FRAPPE=<folder>
	$(if $(filter nfm,$(SPLIT)),$(PY) -m experiments.paper.frappe_negatives --results_dir="$(RESULTS)" $(ON))
	@$(MAKE) --no-print-directory page

table-3: $(READY)  ## all models, tuned alike, five seeds: FRAPPE=<folder>, MOVIELENS=, CRITEO=, AVAZU=, ROWS=
	$(PY) -m experiments.paper.table_3 --results_dir="$(RESULTS)" $(ON) $(OF_MODELS)
	@$(MAKE) --no-print-directory page

figure-2: $(READY)  ## seconds an epoch of all models, at the sizes of Criteo and Avazu
	$(PY) -m experiments.speed.grid --results_dir="$(RESULTS)" --grid=figure_2
	@$(MAKE) --no-print-directory page

figure-3: $(READY)  ## 1 to 12 heads: FRAPPE=<folder>, CRITEO=, AVAZU= or ROWS=
	$(PY) -m experiments.paper.figure_3 --results_dir="$(RESULTS)" $(ON)
	@$(MAKE) --no-print-directory page

figure-4: $(READY)  ## orders 1 to 4: FRAPPE=<folder>, CRITEO=, AVAZU= or ROWS=
	$(PY) -m experiments.paper.figure_4 --results_dir="$(RESULTS)" $(ON)
	@$(MAKE) --no-print-directory page

benchmark: $(READY)  ## speed of all models and parts, of microbatches, against sizes: 40 minutes
	set -e; for grid in models microbatch scaling table_size; do \
	  $(PY) -m experiments.speed.grid --results_dir="$(RESULTS)" --grid=$$grid; \
	done
	$(PY) -m experiments.speed.profile --results_dir="$(RESULTS)"
	@$(MAKE) --no-print-directory page

guard: $(READY)  ## a training step does no more than experiments/results/speed/step_costs.json says
	$(PY) -m experiments.speed.guard --results_dir="$(RESULTS)"

benchmark-gpu: $(READY)  ## all models on a GPU: XLA on and off, float32 and bfloat16, two batches
	$(PY) -m experiments.speed.grid --results_dir="$(RESULTS)" --grid=gpu
	@$(MAKE) --no-print-directory page

reproduce-movielens: $(READY)  ## MovieLens-1M, Figures 5 to 7: MOVIELENS=<folder>, or it is downloaded
	$(PY) -m experiments.paper.figures_5_to_7 --results_dir="$(RESULTS)" $(ON_MOVIELENS)
	@$(MAKE) --no-print-directory page

faithfulness: $(READY)  ## are the explanations true: planted rules; FRAPPE=<folder>, MOVIELENS=<folder>
	set -e; for rule in rule_1 rule_2 rule_2_middle rule_2_dense rule_2_correlated rule_3 rule_3_dense parity mixture; do \
	  for form in released aligned ordered lightgbm ebm; do \
	    $(PY) -m experiments.faithfulness.planted --results_dir="$(RESULTS)" --dataset=synthetic_rules/$$rule --form=$$form; \
	  done; done
	set -e; for rule in rule_2 rule_2_dense rule_3_dense; do \
	  $(PY) -m experiments.faithfulness.knockoffs --results_dir="$(RESULTS)" --dataset=synthetic_rules/$${rule}_knockoffs; \
	done
	$(if $(FRAPPE),$(PY) -m experiments.faithfulness.coalitions --results_dir="$(RESULTS)" --dataset=frappe/nfm \
	  --raw_dir="$(FRAPPE)" --note="$(NOTE)")
	set -e; for measure in curves additivity agreement order_agreement; do :; \
	  $(if $(FRAPPE),$(PY) -m experiments.faithfulness.$$measure --results_dir="$(RESULTS)" --dataset=frappe/nfm \
	    --raw_dir="$(FRAPPE)" --note="$(NOTE)";) \
	  $(if $(MOVIELENS),$(PY) -m experiments.faithfulness.$$measure --results_dir="$(RESULTS)" $(ON_MOVIELENS);) \
	done
	@$(MAKE) --no-print-directory page

page: $(READY)  ## build the pages of your own results, in runs/results
	$(PY) -m experiments.report.tables --results_dir="$(RESULTS)"

tables: $(READY)  ## build the published pages, experiments/results/README.md and index.html, docs/scale.md
	$(PY) -m experiments.report.tables
	$(PY) -m experiments.report.readme_table
	$(PY) -m experiments.report.scale_page

# InterHAt on a log, and the models of Table 3 where MODELS asks for them.
define reproduce_log
	@echo "training InterHAt$(if $(MODELS),, alone; MODELS=all trains all models of Table 3)"
	$(PY) -m experiments.paper.criteo_avazu --results_dir="$(RESULTS)" $(1) $(OF_SEEDS)
	$(if $(MODELS),@echo "training models of Table 3: $(MODELS)")
	$(if $(MODELS),$(PY) -m experiments.paper.table_3 --results_dir="$(RESULTS)" $(1) \
	  $(if $(EPOCHS),--epochs=$(EPOCHS)) $(OF_MODELS))
	@$(MAKE) --no-print-directory page
endef

reproduce-criteo: $(READY)  ## Criteo beside Tables 1 and 3: CRITEO=<train.txt>, or ROWS=200000; MODELS=all
	$(call reproduce_log,--dataset=criteo $(if $(CRITEO),--raw_dir="$(CRITEO)") \
	  $(if $(ROWS),--generate=$(ROWS)))

reproduce-avazu: $(READY)  ## Avazu beside Tables 1 and 3: AVAZU=<train.csv>, or ROWS=200000; MODELS=all
	$(call reproduce_log,--dataset=avazu $(if $(AVAZU),--raw_dir="$(AVAZU)") \
	  $(if $(ROWS),--generate=$(ROWS)))

demo: $(READY)  ## build runs/demo/index.html, a page in which a model runs without a server; needs npm
	$(PY) examples/demo/build.py --output=runs/demo/index.html

test: $(READY)  ## run all tests
	$(PY) -m pytest -n 2 --dist=loadfile --no-loadscope-reorder

test-fast: $(READY)  ## run the tests that are not marked slow
	$(PY) -m pytest -n 2 --dist=loadfile --no-loadscope-reorder -m "not slow"

test-sanitized: $(READY)  ## the kernels' tests with address and undefined-behaviour sanitizers: GCC, 3 minutes
	$(PY) -m tests.kernels.sanitized

lint: $(READY)  ## check style, format and types
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy

docs: $(READY)  ## build the site in docs/_build, from docs/ and the docstrings
	$(PY) -m sphinx --quiet --fail-on-warning --keep-going docs docs/_build
	@echo "docs/_build/index.html"

pictures: $(READY)  ## draw README's pictures again
	$(PY) docs/pictures/architecture.py
	$(PY) docs/pictures/explained_record.py

clean:  ## remove prepared data and runs, but not the results
	rm -rf prepared
	if [ -d runs ]; then find runs -mindepth 1 -maxdepth 1 ! -name results -exec rm -rf {} +; fi
