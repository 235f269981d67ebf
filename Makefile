# make run: the proxy (a demo without SOURCES).  make test: every check, pytest last.
# make scale N=4: so many instances behind HAProxy, for all cores (docs/scale.md).
# make image-check: the Docker image, built and run without an engine.
# make docs-check: the commands of README and docs, run on a bare Debian that boots with systemd.
# make both-ways: all functional tests, with each way of sending to many viewers.
# make clients: Kodi, and programs that speak Xtream, show and play what the proxy serves.
# make hls-players: hls.js, VLC, mpv, ffmpeg and GStreamer play its HLS through all that goes wrong.
PYTHON ?= python3
BIN := .venv/bin
# With other wheels than PyPI's (piwheels on a Raspberry Pi): REQUIREMENTS=requirements.in
REQUIREMENTS ?= requirements.txt

.PHONY: run scale test format bench soak fuzz image-check docs-check both-ways clients hls-players requirements audit clean

run: .venv/run
	$(BIN)/python -m kptv.demo.run

N ?= 2
scale: .venv/run  # needs haproxy, and redis-server or valkey-server
	$(BIN)/python -m kptv.demo.scale $(N)

test: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m compileall -q kptv  # once, not by each server of a test
	$(BIN)/pytest -n 3 --dist loadfile  # most tests wait more than they work: tests/lanes.py

format: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The same chaos from other seeds: make soak SEEDS=20 SECONDS=180
SEED ?= 1
SEEDS ?= 5
SECONDS ?= 60
INSTANCES_SEEDS ?= 20
soak: .venv/dev
	$(BIN)/python -m tests.chaos.run $(SEED) $(SEEDS) $(SECONDS)
	$(BIN)/python -m tests.instances.chaos $(SEED) $(INSTANCES_SEEDS) 45  # several instances

# Lists, playlists, transport streams, guides made at random: make fuzz SECONDS=3600 TARGETS=lists
TARGETS ?= lists playlists streams guides
fuzz: .venv/fuzz
	PYTHONPATH=.venv/fuzz $(BIN)/python -m tests.fuzz.run $(SECONDS) $(TARGETS)

.venv/fuzz: requirements-fuzz.in .venv/dev  # a folder of its own; where it stays empty: see run.py
	mkdir -p $@
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target $@ -r $<
	touch $@

bench: .venv/dev
	$(BIN)/python -m benchmarks

image-check: .venv/dev
	$(BIN)/pytest -s tests/image_check.py  # as root: buildah, debootstrap

docs-check: .venv/dev
	$(BIN)/pytest -s -x tests/docs_check/story.py  # as root: debootstrap, unshare; ports 80, 8080

both-ways: .venv/dev
	KPTV_TEST_BOTH_WAYS=1 $(BIN)/pytest -n 3 --dist loadfile tests/functional

clients: .venv/dev .venv/clients/installed
	$(BIN)/pytest -s $(addprefix tests/clients/,shown.py searching.py xtream.py)  # they say what they need

# In folders of their own: pyxtream is under the GPL. Needs nodejs and npm.
.venv/clients/installed: | .venv/bin/python
	$(PYTHON) -m venv .venv/clients/python
	.venv/clients/python/bin/python -m pip install --quiet --disable-pip-version-check pyxtream==0.8.0
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix .venv/clients/node \
		@iptv/xtream-api@1.4.1 iptv-playlist-parser@0.15.2
	touch $@

hls-players: .venv/dev .venv/clients/hls/installed
	$(BIN)/pytest -s tests/clients/hls_players.py  # it says what it needs

.venv/clients/hls/installed: | .venv/bin/python  # needs npm
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix .venv/clients/hls hls.js@1.7.4
	touch $@

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/run: $(REQUIREMENTS) | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(REQUIREMENTS)
	touch $@

.venv/dev: requirements-dev.txt .venv/run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

# Both files of versions and hashes, from the short .in files: Python 3.11 to 3.13, any platform.
COMPILE = .venv/tools/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-emit-index-url --custom-compile-command "make requirements"
requirements: .venv/tools/bin/uv
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-dev.in -o requirements-dev.txt

# Known holes in what the proxy runs on.
audit: .venv/tools/bin/uv
	.venv/tools/bin/pip-audit --disable-pip --require-hashes -r requirements.txt

.venv/tools/bin/uv: | .venv/bin/python
	$(PYTHON) -m venv .venv/tools
	.venv/tools/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9 pip-audit==2.10.1

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
