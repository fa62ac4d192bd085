# Everything a person does with this repository. `make` alone lists it.
# Needs Python >= 3.11 (any name: make up PYTHON=python3.12), git and make; the rest installs itself into .venv and .mandje.

.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

PY := .venv/bin/python
MANDJE := $(PY) -m infra.cli
ROOMS := functions:layers/commerce/python:.

# Options reach the command only when they are given: make up KEEP=1 PORT=9000
option = $(if $($(1)),--$(2) '$($(1))')
flag = $(if $(filter-out 0 no false,$($(1))),--$(2))

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "; print "make <target> [OPTION=value]\n"} /^[a-z-]+:.*## / {printf "  \033[1m%-9s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ------------------------------------------------------------------------------------------------- the platform

.PHONY: up down status logs demo replay invoke bench
up: .env-all ## the whole platform on this machine  [KEEP=1 PORT=8787 MINISTACK_PORT= STRIPE_PORT= MOLLIE_PORT= ISSUER_PORT=]
	@$(MANDJE) up $(call flag,KEEP,keep) $(call option,PORT,port) $(call option,MINISTACK_PORT,ministack-port) \
		$(call option,STRIPE_PORT,stripe-port) $(call option,MOLLIE_PORT,mollie-port) $(call option,ISSUER_PORT,issuer-port) $(ARGS)

down: .env-dev ## stop it
	@$(MANDJE) down $(ARGS)

status: .env-dev ## what runs where
	@$(MANDJE) status $(ARGS) || test $$? -eq 3

logs: .env-dev ## what the functions logged  [SERVICE=checkout ARGS=--follow]
	@$(MANDJE) logs $(SERVICE) $(ARGS)

demo: .env-dev ## a shopper's day told against the running platform
	@$(MANDJE) demo $(ARGS)

replay: .env-dev ## run a real transaction file through the platform  FILE=day.csv [ARGS='--parallel 4']
	@test -n "$(FILE)" || { echo "mandje: say which file: make replay FILE=day.csv" >&2; exit 2; }
	@$(MANDJE) replay '$(FILE)' $(ARGS)

invoke: .env-dev ## run one function once  FUNCTION=basket.api EVENT=events/basket/add-line.json [LIVE=1]
	@test -n "$(FUNCTION)" -a -n "$(EVENT)" || { echo "mandje: say what to run: make invoke FUNCTION=basket.api EVENT=events/basket/add-line.json" >&2; exit 2; }
	@$(MANDJE) invoke '$(FUNCTION)' '$(EVENT)' $(call flag,LIVE,live) $(ARGS)

bench: .env-dev ## requests, units, dollars and cold starts per operation; writes docs/costs.md
	@$(MANDJE) bench $(ARGS)

# ---------------------------------------------------------------------------------------------------- the checks

.PHONY: test unit lint explore races dynoxide
test: .env-all lint ## lint, types, house rules, every test tier  [ARGS='-k basket' COVERAGE=1]
	@infra/test.sh $(ARGS)

unit: .env-dev ## the rules alone: a few seconds  [ARGS=]
	@$(PY) -m pytest tests/unit $(ARGS)

lint: .env-dev ## ruff, mypy, import-linter
	@$(PY) -m ruff check
	@$(PY) -m mypy
	@PYTHONPATH=$(ROOMS) .venv/bin/lint-imports --no-cache

explore: .env-dev ## every single fault at every outside call of every journey  [EXPLORE=pairs: every pair; ARGS=]
	@$(PY) -m pytest tests/faults --explore $(or $(EXPLORE),all) -s $(ARGS)

races: .env-all ## a thousand shoppers for one unit, and the other races, over HTTP  [RACERS=1000]
	@MANDJE_RACERS=$(or $(RACERS),1000) $(PY) -m pytest tests/local/test_races.py $(ARGS)

dynoxide: .env-dev ## a second DynamoDB engine for the third_party tests, out of npm, pinned by hash
	@$(PY) -m infra.dynoxide

# ----------------------------------------------------------------------------------------------------- the build

.PHONY: build deploy docs lock clean
build: .env-dev ## the artefacts as AWS gets them, with their sizes
	@$(MANDJE) build $(ARGS)

deploy: .env-dev ## build and deploy template.yaml to AWS  STACK=mandje BUCKET=my-artefacts [ARGS='--parameter LogLevel=INFO']
	@$(MANDJE) deploy $(call option,STACK,stack) $(call option,BUCKET,bucket) $(ARGS)

docs: .env-dev ## docs/openapi.json and the event schemas, from the code
	@$(MANDJE) docs $(ARGS)

lock: .env-lock ## write the lock files again  [ARGS=--upgrade]
	@UV=.mandje/lock/bin/uv PYTHON=.mandje/lock/bin/python infra/lock.sh $(ARGS)

clean: ## stop the platform and remove everything that was made here (state too)
	@test ! -x $(PY) || $(MANDJE) down --quiet || true
	@rm -rf .venv .mandje .pytest_cache .ruff_cache .hypothesis *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment is made when its lock file changed; otherwise this takes a moment.
.PHONY: .env-all .env-dev .env-lock
.env-all:
	@PYTHON='$(PYTHON)' infra/install.sh dev ministack
.env-dev .env-lock: .env-%:
	@PYTHON='$(PYTHON)' infra/install.sh $*
