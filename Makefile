# Thin aliases; what they do is in deploy/ and in `thalweg --help`. `make` alone lists them.
#   PYTHON=python3.12      the interpreter to build .venv with (default: the first fit of python3, 3.13, 3.12, 3.11)
#   DEMO=1 VENUES=a,b      for `make up`: fake venues instead of live ones; only these venues
#   ARGS='--seconds 20'    for `make up`: goes on to `thalweg up`
#   SKIP_BROWSER=1         for `make test`: leave the browser tests out, reported as skips

.DEFAULT_GOAL := help
.PHONY: help install up check test test-browser test-cluster chaos consumers compose-test soak fuzz bench bench-peers images lock sbom audit clean

BIN := .venv/bin
ON = $(filter-out 0 no off false,$(1))

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

install: .venv/.installed .venv/.warmed  ## make .venv from the lock and compile the kernels; nothing if up to date

.venv/.installed: requirements.lock pyproject.toml deploy/install
	@PYTHON="$(PYTHON)" deploy/install

.venv/.warmed: .venv/.installed $(addprefix thalweg/,kernels.py book.py scan.py instant.py) $(addprefix ingest/,beats.py rows.py memory.py plan.py express.py)
	@$(BIN)/python -m ingest.warming
	@touch $@

up: install  ## run all of it here and print the page's address (DEMO=1: no internet needed)
	@$(BIN)/thalweg up $(if $(call ON,$(DEMO)),--demo) $(if $(VENUES),--venues '$(VENUES)') $(ARGS)

check: install  ## the static gate: format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy examples/*.py

test: check  ## the whole gate: static, unit, property, integration and browser tests
ifneq ($(call ON,$(SKIP_BROWSER)),)
	SKIP_BROWSER=1 $(BIN)/python -m pytest
else
	@chromium=$$(deploy/chromium) && THALWEG_CHROMIUM="$$chromium" deploy/gate $(BIN)/python
endif

test-browser: install  ## only the browser tests, all before a real gateway and some before the whole demo
	@chromium=$$(deploy/chromium) && THALWEG_CHROMIUM="$$chromium" $(BIN)/python -m pytest -m browser

test-cluster: install  ## a Redis Cluster and Sentinels under load: killed, hung, emptied, moved, failed over
	THALWEG_WHOLE_CLUSTER=1 $(BIN)/python -m pytest tests/cluster tests/thalweg/cluster

# On Valkey from the lock and on the system's Redis. The seed is printed; the same seed makes the same schedule.
chaos: install  ## faults of every kind against real processes (SEED=1 MINUTES=11.5 SERVERS=valkey,redis VENUES=all MUTANTS=1)
	@case '$(or $(SERVERS),redis)' in *redis*) deploy/redis-server >/dev/null;; esac
	@$(BIN)/python -m tests.chaos$(if $(call ON,$(MUTANTS)),.mutants) $(if $(SEED),--seed $(SEED)) \
		$(if $(MINUTES),--minutes $(MINUTES)) $(if $(SERVERS),--servers $(SERVERS)) $(if $(VENUES),--venues $(VENUES))

compose-test: install  ## the containers on a real engine: build, start, scale, kill, stop (needs Docker, as root)
	@$(BIN)/python -m tests.compose $(ARGS)

FRAMES = build/frames
consumers: install $(FRAMES)/.installed  ## the programs of examples/ follow the demo through a minute of trouble (SECONDS=60)
	@PYTHONPATH=$$(echo "$$PWD"/$(FRAMES)/lib/python3*/site-packages) $(BIN)/python -m pytest -q tests/examples
	@$(BIN)/python -m tests.examples --seconds $(or $(SECONDS),60)

# pandas, polars and pyarrow, on the numpy of .venv.
$(FRAMES)/.installed: examples/requirements.txt
	@$(BIN)/python -m venv $(FRAMES)
	@$(FRAMES)/bin/python -m pip install --quiet --no-deps --require-hashes --only-binary :all: --requirement $<
	@touch $@

soak: install  ## 54 books at 1,000 frames/s: memory and file descriptors must stay level (MINUTES=10)
	@$(BIN)/python -m tests.chaos.soak --minutes $(or $(MINUTES),10)

images: install  ## pictures of the page for the documents, into docs/images (ARGS='--sizes 1440x900')
	@THALWEG_CHROMIUM="$$(deploy/chromium)" $(BIN)/python -m tests.gateway.images $(ARGS)

ATHERIS = build/atheris/.tried
# Coverage-guided where the fuzzer has a wheel for this Python, by outcomes alone where not; the first line says which.
fuzz: install $(ATHERIS)  ## millions of odd inputs for every decoder, codec and book (MINUTES=5 SEED=n TARGETS='a b')
	@PYTHONPATH=$$(echo "$$PWD"/build/atheris/lib/python3*/site-packages) $(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),5) $(if $(SEED),--seed $(SEED)) $(TARGETS:%=--target %)

$(ATHERIS):
	@mkdir -p $(@D)
	@PIP_ONLY_BINARY=:all: BARE=atheris deploy/install || echo "make fuzz: atheris can't be had; going on without it"
	@touch $@

bench: install  ## speed and memory in tables, and build/bench.json (COMPARE=tests/bench/baseline.json ONLY=engine)
	@$(BIN)/python -m tests.bench --json build/bench.json $(COMPARE:%=--compare %) $(ONLY:%=--only %) $(if $(SCALE),--seconds-scale $(SCALE))

# Pinned, but without hashes, and built where there is no wheel: it needs a C compiler, pip and venv.
PEER = build/peers/cryptofeed
bench-peers: install $(PEER)/.installed  ## ours and cryptofeed in turn on the same frames
	@$(BIN)/python -m tests.bench.peers

$(PEER)/.installed: tests/bench/peers/cryptofeed.txt
	python3 -m venv $(PEER)
	$(PEER)/bin/python -m pip install --quiet --requirement $<
	@touch $@

UV ?= $(or $(shell command -v uv),build/uv/bin/uv)
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" pyproject.toml

build/uv/bin/uv:
	@BARE=uv deploy/install

lock: $(filter build/%,$(UV))  ## pin all dependencies with hashes, from pyproject.toml (UPGRADE=1: to the newest)
	$(COMPILE) $(if $(UPGRADE),--upgrade) --extra embedded --group build --group test --output-file requirements.lock
	$(COMPILE) --group build --constraint requirements.lock --output-file deploy/runtime.lock
	$(filter-out pyproject.toml,$(COMPILE)) --group pyproject.toml:examples --constraint requirements.lock \
		--no-emit-package numpy --output-file examples/requirements.txt

sbom: install  ## what the image is made of: build/sbom.json (CycloneDX) and docs/licences.md
	@deploy/sbom

audit: install  ## ask for known vulnerabilities of the locked packages (STRICT=1: being offline is a failure)
	@deploy/audit

clean:  ## remove .venv and everything generated
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
