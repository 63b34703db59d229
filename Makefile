# Two commands do everything for a newcomer: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# A process for each core. The tests of a file stay together: they share what is slow to start.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

# Some machines forbid it: then every process compiles the gateway and each pytest all tests anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-all peers lint install crash soak fuzz bench bench-rest bench-codecs clean

help:
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

install: $(INSTALLED)  ## create .venv and install the gateway into it

demo: $(INSTALLED)  ## the main job on real images: receive, script, compress, forward, verify
	$(BIN)/python samples/demo.py

test: $(INSTALLED) lint peers  ## lint, types and the whole everyday suite
	$(PYTEST) -m "not long"

test-all: $(INSTALLED) lint peers  ## the same, and what takes longer: the benchmark, in small
	$(PYTEST)

crash: $(INSTALLED)  ## kill the gateway 40 times while images stream in, and count
	$(BIN)/python tests/crash.py

soak: $(INSTALLED)  ## a week of events through a lane, watching what grows: about 10 minutes
	$(BIN)/python tests/soak.py

fuzz: $(INSTALLED)  ## 10,000 mutated files for each decoder, through real codec processes: about 10 minutes
	$(BIN)/python tests/fuzz.py

bench: $(INSTALLED)  ## receive and route, in turn with an installed Orthanc; writes bench/results/
	$(BIN)/python bench/compare.py

bench-rest: $(INSTALLED)  ## requests per second over HTTP, in turn with an installed Orthanc; writes bench/results/
	$(BIN)/python bench/rest.py

bench-codecs: $(INSTALLED)  ## how fast images are transcoded, and what of that codecs take; writes bench/results/
	$(BIN)/python bench/codecs.py

# DCMTK, GDCM and Orthanc are the peers of some tests. Without them those tests are skipped, and say
# so. RUNLEVEL=1: Orthanc's package must not start a server of its own.
PEERS := storescu gdcmconv Orthanc
PEER_PACKAGES := dcmtk libgdcm-tools orthanc

peers:
	@for peer in $(PEERS); do command -v $$peer >/dev/null || missing="$$missing $$peer"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
			--no-install-recommends $(PEER_PACKAGES) >/dev/null \
			|| echo "peers: could not install $(PEER_PACKAGES): their tests are skipped"; \
	else \
		echo "peers: missing:$$missing, and only root can install them: their tests are skipped"; \
	fi

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## remove what the other targets made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
