# Usual commands. `make help` lists them; `make suite ARGS="--gpu-nodes 3"` passes options on.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help venv test suite lint types format catalogue diagrams roles sample ci bench matrix slow interruptions realtime clean

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

$(BIN)/pytest: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -e '.[dev]'
	@touch $@

venv: $(BIN)/pytest ## a virtual environment with the suite and what its tests need

test: venv ## the project's own tests
	$(BIN)/pytest tests $(ARGS)

suite: venv ## the conformance suite on the simulated cluster
	$(BIN)/pytest $(ARGS)

lint: venv ## ruff, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: venv ## mypy
	$(BIN)/mypy
	$(BIN)/mypy --explicit-package-bases tests

format: venv ## ruff's formatting, and what it can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

catalogue: venv ## docs/catalogue.md
	$(BIN)/python tools/catalogue.py

diagrams: venv ## the diagrams of docs/architecture.md
	$(BIN)/python tools/architecture.py --write

roles: venv ## the roles of manifests/deploy and of the chart
	$(BIN)/python tools/roles.py

sample: venv ## reports/sample: two runs, and pictures of the page; needs chromium and chromium-driver
	$(BIN)/python -m tools.sample_reports

ci: ## everything that must hold before a change lands
	bash .ci/run

bench: venv ## time and memory of a default run
	$(BIN)/python tests/benchmark.py $(ARGS)

matrix: venv ## compare what every fault turns red, those of the full profile too; takes half an hour
	MIG_SLOW_TESTS=1 $(BIN)/pytest tests/cases

slow: venv ## all tests, with the whole runs that take minutes each; takes more than an hour
	MIG_SLOW_TESTS=1 $(BIN)/pytest tests

interruptions: venv ## a hundred runs that are killed or interrupted at seeded points; takes more than two hours
	$(BIN)/python tests/interruptions.py $(ARGS)

realtime: venv ## where the time of a run goes at real time; takes minutes
	$(BIN)/python tests/realtime.py $(ARGS)

clean: ## caches and reports; the virtual environment stays
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find reports -mindepth 1 -maxdepth 1 ! -name README.md ! -name sample -exec rm -rf {} +
