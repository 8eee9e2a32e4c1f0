# One command each, the same here, at the desk and in CI. `make help` lists them.
# With PYTHON=/path/to/python nothing is installed and that interpreter is used as it is.

VENV := .venv
BASE_PYTHON ?= python3
PYTHON := $(VENV)/bin/python
EXTRAS ?= cpu,train,dev
SERVE_EXTRAS ?= cpu
INDEX ?= $(or $(BEOPGIL_INDEX),samples)
DEV ?= $(if $(filter samples,$(INDEX)),samples,$(or $(wildcard data/benchmark/dev),samples))
RUN ?= work/evaluate
OUT ?= work/records
PORT ?= 8000
WORKERS ?= 2
comma := ,

# What is installed is named by what it was installed from: a change of either file installs again, a checkout does not.
PINS := $(shell cat pyproject.toml constraints.txt | cksum | tr ' ' '-')
INSTALLED := $(VENV)/.installed-$(subst $(comma),+,$(EXTRAS))-$(PINS)
INSTALLED_TO_SERVE := $(VENV)/.installed-$(subst $(comma),+,$(SERVE_EXTRAS))-$(PINS)
ifeq ($(origin PYTHON),file)
ENVIRONMENT := $(INSTALLED)
SERVICE := $(or $(wildcard $(INSTALLED)),$(INSTALLED_TO_SERVE))
endif
PIP = PIP_DISABLE_PIP_VERSION_CHECK=1 $(VENV)/bin/python -m pip install -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help install serve test check bench peers corpus index train evaluate report gate gpu-test clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

install: $(ENVIRONMENT) ## .venv with everything to serve, train and test (EXTRAS=gpu,train,dev on a machine with a GPU)

serve: $(SERVICE) indexes/$(INDEX)/CURRENT ## the service on PORT=8000, over INDEX=samples
	BEOPGIL_INDEX=$(INDEX) PORT=$(PORT) $(PYTHON) -m app

test: $(ENVIRONMENT) ## the tests with coverage (ARGS="-k name" for some, WORKERS=2)
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n $(WORKERS) --cov $(ARGS)

check: $(ENVIRONMENT) ## style, types and layers
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest -q tests/test_layering.py

bench: $(ENVIRONMENT) indexes/$(INDEX)/CURRENT ## searches over HTTP beside the pipeline that most people write, INDEX=samples (ARGS="--systems …")
	$(PYTHON) -m benchmarks.serving --index $(INDEX) --queries $(DEV)/queries.jsonl $(ARGS)

peers: build/peers/infinity/.installed build/peers/haystack/.installed ## what benchmarks.serving can compare with, in build/peers

corpus: need-SOURCE $(SERVICE) ## records into OUT=work/records: SOURCE=law.go.kr [SINCE=2026-11-01], a legalize-kr checkout, folder or files
	$(PYTHON) -m training.records --source $(SOURCE) --out $(OUT) --since "$(SINCE)" $(ARGS)

index: need-SOURCE need-NAME $(SERVICE) ## an index of your records: SOURCE="folder or files" NAME=name
	$(PYTHON) -m training.index --source $(SOURCE) --name $(NAME) $(ARGS)

train: need-RECIPE $(ENVIRONMENT) ## every step of RECIPE=a TOML file or a name in training/recipes (ARGS="--from STEP")
	$(PYTHON) -m training.run $(RECIPE) $(ARGS)

evaluate: $(ENVIRONMENT) indexes/$(INDEX)/CURRENT ## measures of INDEX=samples into RUN=work/evaluate (DEV=folder, ARGS="--against FOLDER")
	$(PYTHON) -m training.evaluate --index $(INDEX) --dev $(DEV) --out $(RUN) $(ARGS)

report: $(ENVIRONMENT) ## RUN=work/evaluate as a page, RUN/report.html
	$(PYTHON) -m training.report --run $(RUN)

gate: $(ENVIRONMENT) ## refuse the models of RUN=work/evaluate where they are worse than the last release (ARGS=--accept to ship)
	$(PYTHON) -m training.gate --run $(RUN) $(ARGS)

gpu-test: $(ENVIRONMENT) ## the tests that need a GPU
	$(PYTHON) -m pytest -m gpu $(ARGS)

clean: ## remove caches and build folders; indexes, models and runs stay
	rm -rf build dist *.egg-info .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find app training tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

need-%:
	@test -n "$($*)" || { echo 'give $*=…; `make help` says what it is'; exit 2; }

$(VENV)/bin/python:
	$(BASE_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, found " + sys.version)'
	$(BASE_PYTHON) -m venv $(VENV)

# torch goes first: its pin decides which build the others find.
$(VENV)/.installed-%: | $(VENV)/bin/python
	$(PIP) torch
	$(PIP) -e '.[$(subst +,$(comma),$(firstword $(subst -, ,$*)))]'
	rm -f $(VENV)/.installed-$(firstword $(subst -, ,$*))-*
	touch $@

# Each peer has an environment of its own: their pins and ours exclude one another.
build/peers/%/.installed: benchmarks/peers/%.txt
	rm -rf $(@D)
	$(BASE_PYTHON) -m venv $(@D)
	PIP_DISABLE_PIP_VERSION_CHECK=1 $(@D)/bin/python -m pip install -r $<
	touch $@

# The sample index is built again where a sample or a model is newer than it.
indexes/samples/CURRENT: $(wildcard samples/*.jsonl models/*/*) | $(SERVICE)
	$(PYTHON) -m training.index --source samples --name samples
	@touch $@

indexes/%/CURRENT:
	@echo 'there is no index "$*" yet: make index SOURCE="folder or files" NAME=$*'; exit 2
