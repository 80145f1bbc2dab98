# What a person types. `snakemake` itself is in .venv/bin after `make setup`.
PYTHON ?= python3
CORES ?= all
CONFIG ?= config.yaml
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := .venv-peers
PEERS_READY := $(PEERS)/.ready
# Where Snakemake looks for a profile by its name, and where a test cluster stands.
PROFILE := $(or $(XDG_CONFIG_HOME),$(HOME)/.config)/snakemake/slurm
CLUSTER ?= /tmp/slurm-$(shell id -un)
# What a script must not inherit: activated environments and user site-packages.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV CONDA_PREFIX

help:
	@echo "make run     set up, then run the whole experiment of config.yaml and build its report"
	@echo "make test    set up, then check everything; on a real Slurm, a run and three faults"
	@echo "make setup   only set up: an environment in .venv from envs/requirements.txt"
	@echo "make bench   set up, then time trainers, images and extraction beside peers: results/benchmarks"
	@echo "make quality run, then compare what our SAEs and two libraries' reach on its activations"
	@echo "make peers   only set up the libraries that SAEs are compared with, in .venv-peers"
	@echo "make plan    what a run would do and cost: jobs, rows, bytes, hours"
	@echo "make slurm-profile       link profiles/slurm so that snakemake --profile slurm finds it"
	@echo "make slurm-scale         what large plans, submission and groups cost, on such a Slurm"
	@echo "make slurm-cluster       a Slurm of three nodes on this machine, to try things (root, Debian)"
	@echo "make slurm-cluster-down  end it"
	@echo "make test-slurm          set up, then run every test on a real Slurm, a dozen minutes"
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
	@$(BIN)/interference plan --configfile $(CONFIG)

run: $(READY)
	$(BIN)/snakemake --cores $(CORES) --configfile $(CONFIG)
	$(BIN)/snakemake --cores 1 --configfile $(CONFIG) --report "$$($(BIN)/interference config results $(CONFIG))/report.html"
	@$(BIN)/interference analysis conclude "$$($(BIN)/interference config results $(CONFIG))"

test: $(READY) $(PEERS_READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 3 --dist loadgroup -m "not thorough"

test-slurm: $(READY)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 4 --dist loadgroup -m slurm tests/slurm

slurm-profile:
	@if [ "$(PROFILE)" -ef profiles/slurm ]; then echo "$(PROFILE) is this clone's already"; \
	elif [ -e "$(PROFILE)" ] || [ -L "$(PROFILE)" ]; then \
		echo "$(PROFILE) is there already and is not this clone's profiles/slurm: it stays as it is;" \
			"move it away first, or use --profile profiles/slurm" >&2; exit 1; \
	else mkdir -p "$(dir $(PROFILE))" && ln -s "$(CURDIR)/profiles/slurm" "$(PROFILE)" && \
		echo "$(PROFILE) leads to $(CURDIR)/profiles/slurm"; fi

slurm-scale: $(READY)
	PYTHONPATH=tests/workflow $(BIN)/python tests/slurm/scale.py

slurm-cluster: $(READY)
	@$(BIN)/python tests/slurm/cluster.py up $(CLUSTER)

slurm-cluster-down: $(READY)
	@$(BIN)/python tests/slurm/cluster.py down $(CLUSTER)

bench: $(READY) $(PEERS_READY)
	$(BIN)/python tests/benchmarks/toy.py
	$(BIN)/python tests/benchmarks/extraction.py
	PYTHONPATH=tests/data $(BIN)/python tests/benchmarks/images.py
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

.PHONY: help setup plan run test test-slurm bench quality peers clean \
	slurm-profile slurm-scale slurm-cluster slurm-cluster-down
