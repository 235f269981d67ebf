# make run: the proxy (a demo without SOURCES).  make test: every check, pytest last.
# make image-check: the Docker image, built and run without an engine.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test format bench soak image-check clean

run: .venv/run
	$(BIN)/python -m kptv.demo.run

test: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist loadfile  # most tests wait more than they work

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The same chaos from other seeds: make soak SEEDS=20 SECONDS=180
SEED ?= 1
SEEDS ?= 5
SECONDS ?= 60
soak: .venv/dev
	$(BIN)/python -m tests.chaos.run $(SEED) $(SEEDS) $(SECONDS)

bench: .venv/dev
	$(BIN)/python -m benchmarks

image-check: .venv/dev
	$(BIN)/pytest -s tests/image_check.py  # as root: buildah, debootstrap

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/run: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/dev: requirements-dev.txt .venv/run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
