# Everything happens in .venv; the only things needed before are make and python3 (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: install demo test test-install lint lock bench clean help

help:
	@echo "make demo     run Unicart with a sandbox shop (ARGS='--port 8001 --orders 100000')"
	@echo "make test     set everything up and run the tests"
	@echo "make install  only set up"
	@echo "make lint     ruff, mypy and the import rules"
	@echo "make bench    measure (needs nginx and wrk; see docs/performance.md)"

install: $(VENV)/.installed

$(VENV)/.installed: requirements/runtime.txt requirements/build.txt pyproject.toml
	$(PYTHON) tools/bootstrap.py $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt -r requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

test-install: $(VENV)/.test-installed

$(VENV)/.test-installed: $(VENV)/.installed requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: install
	$(BIN)/unicart demo $(ARGS)

test: test-install
	$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

lint: test-install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/reference.py --check

bench: $(VENV)/.bench-installed
	$(BIN)/python -m bench $(ARGS)

$(VENV)/.bench-installed: $(VENV)/.test-installed requirements/bench.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	@touch $@

# Pins and hashes of every dependency, for every Python and platform, without the address of an index.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header requirements/build.in -o requirements/build.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header pyproject.toml -o requirements/runtime.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header pyproject.toml --group dev --group bench -c requirements/dev.txt -o requirements/bench.txt

clean:
	rm -rf $(VENV) .cache data build *.egg-info src/*.egg-info
