# Two commands do all set-up on a fresh machine: `make demo` and `make test`.
.DEFAULT_GOAL := help
.PHONY: help demo serve test check fix bench soak flame lock sbom assets clean

# A distribution builds its Python with a profile of its use: one built by hand takes a fifth more CPU.
PYTHON ?= $(or $(shell /usr/bin/python3 -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo /usr/bin/python3),python3)
VENV := .venv
BIN := $(VENV)/bin

help: ## This help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Use
demo: $(VENV)/.runtime ## A small country on this machine; ARGS=--exit ends after its story
	$(BIN)/python -m gateway demo $(ARGS)

serve: $(VENV)/.runtime ## The gateway, from GATEWAY_ settings
	$(BIN)/python -m gateway serve $(ARGS)

##@ Work on it
check: $(VENV)/.development ## Format, lint, types, layers, policies: seconds, no services
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python -m gateway policy check policies
	$(BIN)/hadolint docker/Dockerfile

fix: $(VENV)/.development ## Let the formatter and the linter mend what they can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Hundreds of processes are started: without bytecode that is kept, a third of their start is compiling.
test: $(VENV)/.development ## Every test, after installing the servers that they talk to
	tests/setup
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(VENV)/.development ## The benchmarks: tables, and bench.json; ARGS="--quick --only ledger,beside"
	tests/setup bench
	$(BIN)/python -m tests.bench $(ARGS)

soak: $(VENV)/.development ## Half an hour at half load: errors, and how memory grows
	tests/setup bench
	$(BIN)/python -m tests.bench.soak $(ARGS)

flame: $(VENV)/.development ## Where the CPU of one worker goes: docs/flame.svg
	tests/setup bench
	$(BIN)/python -m tests.bench.flame $(ARGS)

lock: $(VENV)/.development ## Pin all requirements with their hashes
	$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -o requirements.txt requirements.in
	$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -o tracing-requirements.txt tracing-requirements.in
	$(BIN)/uv pip compile -q --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -o dev-requirements.txt dev-requirements.in

sbom: $(VENV)/.development ## What the product is made of: var/sbom.cdx.json (CycloneDX 1.6)
	mkdir -p var
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --spec-version 1.6 --output-format JSON --output-reproducible --validate --output-file var/sbom.cdx.json requirements.txt

assets: $(VENV)/.development ## The pages' texts: extract, update the languages, compile
	mkdir -p var
	$(BIN)/pybabel -q extract -F consent/translations/babel.cfg -k lazy_gettext -k _ --no-location --sort-output -o var/messages.pot consent identity gateway
	$(BIN)/pybabel -q update --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --width 100 -i var/messages.pot -d consent/translations
	$(BIN)/pybabel -q compile -d consent/translations

clean: ## Remove what was built here
	rm -rf $(VENV) var node_modules .mypy_cache .ruff_cache .pytest_cache bench.json

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Causeway needs Python 3.11 or newer (Debian: python3-venv)")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

$(VENV)/.development: dev-requirements.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r dev-requirements.txt
	touch $@ $(VENV)/.runtime
