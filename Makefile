# make run    from nothing but Python 3.11+, pip and make to a served program
# make test   the whole suite on the embedded default
PY ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8000
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps --only-binary :all:
export HOST PORT
.PHONY: run test test-services test-browser check lock words bench bench-peers bench-read bench-context

run: $(VENV)/.run
	@$(BIN)/python manage.py migrate --no-input -v0
	@$(BIN)/python manage.py demo --url http://$(HOST):$(PORT)
	@$(BIN)/python manage.py serve

test: $(VENV)/.test
	env -u DATABASE_URL -u REDIS_URL $(BIN)/python -m pytest -q

# The same suite on PostgreSQL and Redis: those of DATABASE_URL and REDIS_URL, or servers of its own.
test-services: $(VENV)/.test
ifdef DATABASE_URL
	$(BIN)/python -m pytest -q
else
	$(BIN)/python -m tests.services $(BIN)/python -m pytest -q
endif

# The pages in a real browser, on servers of its own; pictures of them are left in var/browser.
test-browser: $(VENV)/.browser
	$(BIN)/python -m tests.services env BROWSER_TESTS=1 $(BIN)/python -m pytest -q tests/browser

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python -m pytest -q tests/test_house.py
	! grep -rnE '://|index-url|find-links' requirements/

$(BIN)/python:
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make run PY=python3.12")'
	@$(PY) -m venv $(VENV) || { echo "On Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/.run: requirements/run.txt | $(BIN)/python
	@echo "Installing into $(VENV) (once) …"
	@$(PIP) -r $<
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.run
	@$(PIP) -r $<
	@touch $@

$(VENV)/.browser: requirements/browser.txt $(VENV)/.test
	@$(PIP) -r $<
	@touch $@

# Needs uv on the path; the files it writes hold no index address.
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --no-header --quiet
lock:
	$(LOCK) -o requirements/run.txt
	$(LOCK) --extra s3 -c requirements/run.txt -o requirements/s3.txt
	$(LOCK) --extra test -c requirements/s3.txt -o requirements/test.txt
	$(LOCK) --extra test --extra browser -c requirements/test.txt -o requirements/browser.txt

# The frame's words: finds them, and compiles their translations. Needs gettext on the path.
WORDS := $(BIN)/python manage.py makemessages --all --no-location --no-obsolete --ignore 'static/[svo]*' \
	--ignore tests --ignore benchmarks --ignore var
words: $(VENV)/.run
	$(WORDS) --domain django --extension html
	$(WORDS) --domain djangojs --extension js
	$(BIN)/python manage.py compilemessages --ignore $(VENV)

# Figures (benchmarks/README.md): the measuring side has an environment of its own. BENCH passes options on.
BENCH_VENV := var/bench/venv
$(BENCH_VENV)/.installed: benchmarks/requirements.txt
	@$(PY) -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip install -qq --disable-pip-version-check -r $<
	@touch $@

bench: $(VENV)/.run $(BENCH_VENV)/.installed
	$(BENCH_VENV)/bin/python benchmarks/bench.py $(BENCH)

bench-peers: $(VENV)/.run $(BENCH_VENV)/.installed
	$(BENCH_VENV)/bin/python benchmarks/bench_peers.py $(BENCH)

# Reading at scale, on a PostgreSQL and a Redis of its own: BENCH="--sessions 50000" is a quick look.
bench-read: $(VENV)/.test
	$(BIN)/python benchmarks/bench_read.py $(BENCH)

# A context by itself, beside an empty view, on a PostgreSQL and a Redis of its own: BENCH="--profile PUT" shows where
# its time goes.
bench-context: $(VENV)/.test
	$(BIN)/python benchmarks/bench_context.py $(BENCH)
