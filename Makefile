# What a person types. `snakemake` itself is in .venv/bin after `make setup`.
PYTHON ?= python3
CORES ?= all
CONFIG ?= config.yaml
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := .venv-peers
PEERS_READY := $(PEERS)/.ready
# What a script must not inherit: activated environments and user site-packages.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV CONDA_PREFIX

help:
	@echo "make run     set up, then run the whole experiment of config.yaml and build its report"
	@echo "make test    set up, then check everything"
	@echo "make setup   only set up: an environment in .venv from envs/requirements.txt"
	@echo "make bench   set up, then time the trainers beside their peers: results/benchmarks/*.json"
	@echo "make quality run, then compare what our SAEs and two libraries' reach on its activations"
	@echo "make peers   only set up the libraries that SAEs are compared with, in .venv-peers"
	@echo "make plan    what a run would do and cost: jobs, rows, bytes"
	@echo "make clean   remove .venv and .venv-peers (results stay)"
	@echo
	@echo "CONFIG=workflow/experiments/NAME.yaml picks another experiment, CORES=N limits the cores."

setup: $(READY)

$(READY): envs/requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v >= (3, 11) else "interference needs Python 3.11 or newer, found %d.%d; name one with PYTHON=..." % v)'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -r envs/requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	$(BIN)/python -m compileall -q workflow/lib
	@touch $@

plan: $(READY)
	@$(BIN)/interference config plan $(CONFIG)

run: $(READY)
	$(BIN)/snakemake --cores $(CORES) --configfile $(CONFIG)
	$(BIN)/snakemake --cores 1 --configfile $(CONFIG) --report "$$($(BIN)/interference config results $(CONFIG))/report.html"
	@$(BIN)/interference analysis conclude "$$($(BIN)/interference config results $(CONFIG))"

test: $(READY) $(PEERS_READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 2 --dist loadgroup

bench: $(READY) $(PEERS_READY)
	$(BIN)/python tests/benchmarks/toy.py
	$(PEERS)/bin/python tests/benchmarks/saes.py

quality: run $(PEERS_READY)
	$(PEERS)/bin/python tests/benchmarks/quality.py

peers: $(PEERS_READY)

$(PEERS_READY): $(READY) tests/benchmarks/peers.txt
	$(BIN)/python -m venv --clear $(PEERS)
	$(BIN)/uv pip install --quiet --python $(PEERS)/bin/python -r tests/benchmarks/peers.txt
	$(BIN)/uv pip install --quiet --python $(PEERS)/bin/python --no-deps --editable .
	@touch $@

clean:
	rm -rf $(VENV) $(PEERS)

.PHONY: help setup plan run test bench quality peers clean
