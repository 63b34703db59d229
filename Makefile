# Two commands do everything for a newcomer: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help demo test test-all peers lint install crash bench bench-codecs clean

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
	$(BIN)/python -m pytest -m "not long"

test-all: $(INSTALLED) lint peers  ## the same, and what takes longer: the benchmark, in small
	$(BIN)/python -m pytest

crash: $(INSTALLED)  ## kill the gateway 40 times while images stream in, and count
	$(BIN)/python tests/crash.py

bench: $(INSTALLED)  ## receive and route, in turn with an installed Orthanc; writes bench/results/
	$(BIN)/python bench/compare.py

bench-codecs: $(INSTALLED)  ## how fast images are transcoded, and what of that codecs take; writes bench/results/
	$(BIN)/python bench/codecs.py

# DCMTK and GDCM are the peers of some tests. Without them those tests are skipped, and say so.
peers:
	@command -v storescu >/dev/null && command -v gdcmconv >/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
			--no-install-recommends dcmtk libgdcm-tools >/dev/null \
			|| echo "peers: could not install dcmtk and libgdcm-tools: their tests are skipped"; \
	else \
		echo "peers: dcmtk or libgdcm-tools is missing, and only root can install them: their tests are skipped"; \
	fi

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## remove what the other targets made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
