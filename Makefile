# finance-flows. `make` alone prints this help; every target sets the environment up by itself.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
READY := $(VENV)/.ready
BENCH_READY := $(VENV)/.bench-ready
AUDIT_VENV := .venv-audit
AUDIT_READY := $(AUDIT_VENV)/.ready
DOCS_VENV := .venv-docs
DOCS_READY := $(DOCS_VENV)/.ready
FINFLOWS := $(VENV)/bin/finflows
USE_CASE ?= credit_scoring
HALF ?= develop

.PHONY: help
help: ## print this help
	@echo "finance-flows: from a declared use case to a trained, judged, registered model"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  $(FINFLOWS) --help shows the rest: draft your own table, score, promote, ..."
	@echo "  make train USE_CASE=credit_scoring DATA=my.csv SET=\"training.epochs=5 network.hidden_units=[32,16]\""

# --- environment -------------------------------------------------------------------------------

.PHONY: setup
setup: $(READY) ## create .venv from the hash-pinned lock (done by the other targets on demand)

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11-3.13 found: install one (apt-get install python3) or say make PYTHON=/path/to/python" >&2; exit 2; }
	@PYTHON="$(PYTHON)" sh setup.sh $(VENV)
	@touch $@

# --- use ---------------------------------------------------------------------------------------

# Neither make nor the shell expands $NAME in DATA and SET: the program does, when it reads.
.PHONY: train
train: $(READY) ## train USE_CASE (default credit_scoring) with optional DATA= and SET=
	@$(FINFLOWS) train $(USE_CASE) $(if $(value DATA),--data '$(value DATA)') $(foreach override,$(value SET),--set '$(override)')

.PHONY: train-all
train-all: $(READY) ## train every use case, side by side, and print the leaderboard
	@$(FINFLOWS) train-all $(foreach override,$(value SET),--set '$(override)')

.PHONY: compare
compare: $(READY) ## put finished trainings side by side
	@$(FINFLOWS) compare

.PHONY: schedule
schedule: $(READY) ## run what prefect.yaml plans when it is due, on this machine
	@$(FINFLOWS) schedule

.PHONY: doctor
doctor: $(READY) ## end runs whose process died, and check the common problems
	@$(FINFLOWS) doctor

.PHONY: list
list: $(READY) ## list the use cases
	@$(FINFLOWS) list

.PHONY: ui
ui: $(READY) ## open the MLflow UI on 127.0.0.1:PORT (default 5000)
	@$(FINFLOWS) ui $(if $(PORT),--port $(PORT))

.PHONY: serve
serve: $(READY) ## serve the champion of USE_CASE on 127.0.0.1:PORT (5001; FOLLOW=1: new champions too)
	@$(FINFLOWS) serve $(USE_CASE) $(if $(PORT),--port $(PORT)) $(if $(filter-out 0,$(FOLLOW)),--follow)

.PHONY: image
image: $(READY) ## write build/USE_CASE, a folder from which docker builds a server of the champion
	@mkdir -p build
	@$(FINFLOWS) image $(USE_CASE) --to build/$(USE_CASE)

# --- develop -----------------------------------------------------------------------------------

.PHONY: test
test: $(READY) ## run the fast tests
	@$(VENV)/bin/python -m pytest

.PHONY: test-services
test-services: $(READY) ## run what needs servers: kills, schedules, PostgreSQL, a browser
	@sh tests/system_packages.sh
	@$(VENV)/bin/python -m pytest -m 'services and not evidence' --numprocesses=3 --dist=loadfile

.PHONY: evidence
evidence: $(READY) ## show the qualities: five seeds, all remedies, 20 kills, the whole benchmark
	@sh tests/system_packages.sh
	@$(VENV)/bin/python -m pytest -m evidence
	@$(MAKE) bench

.PHONY: coverage
coverage: $(READY) ## run the fast tests and show which lines they reach, in all processes
	@$(VENV)/bin/python -m pytest --cov --cov-report=term

.PHONY: check
check: $(READY) ## lint, format and type checks
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

.PHONY: bench
bench: $(BENCH_READY) ## measure the speed beside Keras, JAX and others (half an hour; QUICK=--quick)
	@$(VENV)/bin/python -m benchmarks.training_speed $(QUICK)
	@$(VENV)/bin/python -m benchmarks.cpu_by_part $(QUICK)
	@$(VENV)/bin/python -m benchmarks.window_features $(QUICK)
	@$(VENV)/bin/python -m benchmarks.trials_per_hour $(QUICK)
	@$(VENV)/bin/python -m benchmarks.scoring_speed $(QUICK)
	@$(VENV)/bin/python -m benchmarks.reasons_speed $(QUICK)
	@$(VENV)/bin/python -m benchmarks.growth $(QUICK)

.PHONY: bench-drafts
bench-drafts: $(READY) ## measure drafts beside declarations by hand (an hour; goes on where it stopped)
	@$(VENV)/bin/python -m benchmarks.draft_quality

.PHONY: bench-search
bench-search: $(READY) ## measure what a search on few rows gains (hours; goes on where it stopped)
	@$(VENV)/bin/python -m benchmarks.search_gain

.PHONY: bench-quality
bench-quality: $(BENCH_READY) ## measure the network beside tuned boosting (hours; goes on where it stopped)
	@$(VENV)/bin/python -m benchmarks.quality --half $(HALF)

$(BENCH_READY): $(READY) requirements-bench.lock
	@$(VENV)/bin/python -m pip install --quiet --no-deps --require-hashes \
		--disable-pip-version-check -r requirements-bench.lock
	@touch $@

# pip-audit has an environment of its own, which is built where its question can be answered.
.PHONY: audit
audit: $(READY) ## list what is installed: an SBOM, licences, known vulnerabilities
	@mkdir -p build
	@$(VENV)/bin/python -m audit.sbom requirements.lock build/sbom.cdx.json
	@$(VENV)/bin/python -m audit.licences requirements.lock build/licences.md
	@$(VENV)/bin/python -m audit.vulnerabilities || exit 0; \
		$(MAKE) --no-print-directory $(AUDIT_READY) && \
		$(VENV)/bin/python -m audit.vulnerabilities $(AUDIT_VENV)/bin/pip-audit requirements.lock

$(AUDIT_READY): $(READY) requirements-audit.lock
	@$(VENV)/bin/python -m venv --clear --without-pip $(AUDIT_VENV)
	@$(VENV)/bin/python -m pip --python $(AUDIT_VENV)/bin/python install --quiet --no-deps \
		--require-hashes --disable-pip-version-check -r requirements-audit.lock
	@touch $@

# Warnings are errors: a link that leads nowhere fails the build.
.PHONY: docs
docs: $(DOCS_READY) ## build README and docs/ as HTML, into build/docs
	@$(DOCS_VENV)/bin/python -m sphinx --fail-on-warning --keep-going --quiet --fresh-env \
		--doctree-dir build/doctrees -c docs . build/docs
	@echo "build/docs/docs/index.html"

.PHONY: pictures
pictures: $(READY) ## make all pictures of README and docs from today's program (minutes, a browser)
	@sh tests/system_packages.sh
	@$(VENV)/bin/python docs/pictures.py

$(DOCS_READY): $(READY) requirements-docs.lock
	@$(VENV)/bin/python -m venv --clear --without-pip $(DOCS_VENV)
	@$(VENV)/bin/python -m pip --python $(DOCS_VENV)/bin/python install --quiet --no-deps \
		--require-hashes --disable-pip-version-check -r requirements-docs.lock
	@touch $@

.PHONY: lock
lock: ## resolve requirements.lock and those of bench, audit and docs anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
		--extra dask --extra postgresql --group samples --group dev pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
		--constraints requirements.lock --group bench -o requirements-bench.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
		--constraints requirements.lock --group audit -o requirements-audit.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet \
		--constraints requirements.lock --group docs -o requirements-docs.lock

.PHONY: clean
clean: ## remove the environment and caches; mlruns/ stays
	rm -rf $(VENV) $(AUDIT_VENV) $(DOCS_VENV) .pytest_cache .mypy_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
