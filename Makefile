# Everything from a clone: `make demo` and `make test`. Needs Python >= 3.11, make and Terraform >= 1.9.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
CHECKOV := .domicile/checkov/bin/checkov
CDKTN := .domicile/cdktn/.ready
QUIET := $(shell test -t 1 || echo --quiet)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export CHECKPOINT_DISABLE := 1

.PHONY: help demo shopease browser test test-slow check format build synth plans policy checkov cdktn simulate soak lock cdktf-deploy-local clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

demo: $(READY) ## Three Regions on a local AWS, and the ShopEase scenario on them
	@$(BIN)/domicile demo

shopease: $(READY) ## A shop in three Regions under load, one of them cut off and brought back (KEEP=1: until Ctrl-C)
	@$(BIN)/python -m examples.shopease $(SHOPEASE)

browser: ## Install the Chromium that tests ShopEase's page, where there is none (apt-get, as root or by sudo)
	@test -z "$$DOMICILE_CHROMIUM" || exit 0; \
	for name in chromium chromium-browser google-chrome; do ! command -v $$name >/dev/null || exit 0; done; \
	sudo=$$(test "$$(id -u)" = 0 || echo sudo); \
	{ $$sudo apt-get -qq update && $$sudo apt-get -qq install -y --no-install-recommends chromium; } || \
	{ echo "Chromium is missing: install it, and name it in DOMICILE_CHROMIUM if it is not on the PATH." >&2; exit 2; }

test: $(READY) ## The tests, including the end-to-end ones on the local AWS
	@$(BIN)/domicile build
	@$(BIN)/python -m pytest -m "not slow"

test-slow: $(READY) ## The tests that `make test` leaves out: more of the same kinds, some minutes more
	@$(BIN)/python -m pytest -m slow

check: $(READY) ## Style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(READY) ## Format, and mend what can be mended
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

build: $(READY) ## Build the functions' zips
	@$(BIN)/domicile build

synth: build ## Synthesize the stacks into cdktf.out
	@$(BIN)/domicile synth

# Terraform's own plans; those of the example deployments, if none are named: make policy PLANS="eu.json us.json"
PLANS = .domicile/plans/*.json
plans: $(READY)
	@test "$(origin PLANS)" != file || $(BIN)/python -m tests.policy.plans

policy: plans ## Run the policy set over plans, PLANS="a.json b.json" or those of the example deployments
	@$(BIN)/python -m policies.check $(PLANS)

checkov: plans $(CHECKOV) ## Run Checkov over the same plans
	@$(CHECKOV) --config-file policies/checkov.yaml --file $(PLANS)

cdktn: $(READY) $(CDKTN) ## Synthesize with CDK Terrain, which continues cdktf, and compare
	@$(BIN)/python -m pytest tests/infra/test_terrain.py

SEEDS ?= 100000
simulate: $(READY) ## Random schedules on both cores, in the background: make simulate SEEDS=100000
	@mkdir -p .domicile
	@nohup nice $(BIN)/domicile simulate --seeds $(SEEDS) --jobs 2 > .domicile/simulate.log 2>&1 & \
		echo "process $$!; its last line will be the outcome: .domicile/simulate.log"

soak: build ## 20,000 writes by four writers in three Regions, and a Region that is down for a minute
	@DOMICILE_SOAK_WRITES=20000 DOMICILE_OUTAGE_S=60 $(BIN)/python -m pytest --durations=5 tests/local/test_failures_load.py

lock: $(READY) ## Lock the requirements anew (versions and hashes, for every platform)
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--upgrade functions/requirements.in -o functions/requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--upgrade requirements/dev.in -o requirements/dev.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--upgrade requirements/policy.in -o requirements/policy.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--upgrade requirements/cdktn.in -o requirements/cdktn.txt

# The CLI is some 400 MB of packages, which npx keeps in its own cache. Its Terraform state goes with the folder.
cdktf-deploy-local: build ## Deploy with cdktf-cli, as a user of it would, to a local AWS
	@command -v npx >/dev/null || { echo "npx is missing: install Node.js >= 20 with npm." >&2; exit 2; }
	@rm -rf .domicile/cdktf-cli
	@PATH="$(CURDIR)/$(BIN):$$PATH" CI=1 $(BIN)/domicile local run -- \
		npx --yes cdktf-cli@0.21.0 deploy '*' --auto-approve --output .domicile/cdktf-cli

clean: ## Remove everything that was built or installed here, but no Terraform state
	@! ls cdktf.out/stacks/*/terraform.tfstate 2>/dev/null || \
		{ echo "These are the only record of what was applied: destroy the stacks, or move the states, first." >&2; exit 2; }
	@rm -rf .venv .domicile cdktf.out dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(READY): requirements/dev.txt pyproject.toml
	@command -v terraform >/dev/null || { echo "Terraform >= 1.9 is missing: install it and put it on the PATH." >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python >= 3.11 is missing: install it, or name it: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv module is missing: install it (Debian: apt-get install python3-venv)." >&2; exit 2; }
	@echo "Creating .venv and installing the locked requirements: about a minute ..." >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install $(QUIET) --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install $(QUIET) --no-deps --no-build-isolation -e .
	@touch $@

# Checkov pins what the rest must not have: it has an environment of its own.
$(CHECKOV): requirements/policy.txt
	@$(PYTHON) -m venv .domicile/checkov
	@.domicile/checkov/bin/pip install $(QUIET) --require-hashes -r requirements/policy.txt
	@touch $@

# cdktf is taken where both are installed: CDK Terrain has an environment of its own.
$(CDKTN): requirements/cdktn.txt
	@$(PYTHON) -m venv .domicile/cdktn
	@.domicile/cdktn/bin/pip install $(QUIET) --require-hashes -r requirements/cdktn.txt
	@touch $@
