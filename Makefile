# What a person types. `snakemake` itself is in .venv/bin after `make setup`.
PYTHON ?= python3
CORES ?= all
CONFIG ?= config.yaml
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := .venv-peers
PEERS_READY := $(PEERS)/.ready
.DEFAULT_GOAL := help
# Recipes get what is typed as variables of the shell, so that any letter may be in a name: "$$CONFIG".
override CONFIG := $(value CONFIG)
override CORES := $(value CORES)
override PYTHON := $(value PYTHON)
export CONFIG CORES PYTHON
# What a script must not inherit: activated environments, user site-packages, another place to install
# to, what makes Python another one, and what has every job and worker compile the same sources.
unexport PYTHONPATH PYTHONHOME PYTHONUSERBASE PYTHONOPTIMIZE PYTHONWARNINGS PYTHONINSPECT PYTHONSAFEPATH \
	PYTHONDONTWRITEBYTECODE VIRTUAL_ENV CONDA_PREFIX PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV \
	UV_PYTHON UV_SYSTEM_PYTHON UV_TARGET UV_PREFIX
# Caches of pip, uv and what they install: this clone's where the user's cannot be written.
ifneq ($(shell (cache="$${XDG_CACHE_HOME:-$${HOME:?}/.cache}" && mkdir -p "$$cache" && \
	[ -w "$$cache" ] && echo writable) 2>/dev/null),writable)
export XDG_CACHE_HOME := $(CURDIR)/.snakemake/cache
endif
ifndef HOME
export HOME := $(CURDIR)/.snakemake
endif
# An environment is good where it was made, while the Python that it was made with is there: a clone
# that moved, and one whose Python is gone, are set up again.
sound = $(shell [ "$$(cat $(1)/.ready 2>/dev/null)" = "$$(pwd -P)" ] && \
	$(1)/bin/python -I -c 'import interference' 2>/dev/null && echo sound)
ifneq ($(call sound,$(VENV)),sound)
$(READY): anew
endif
ifneq ($(call sound,$(PEERS)),sound)
$(PEERS_READY): anew
endif

help:
	@echo "make run     set up, then run the whole experiment of config.yaml and build its report"
	@echo "make test    set up, then check everything but types and what needs a Slurm"
	@echo "make setup   only set up: an environment in .venv from envs/requirements.txt"
	@echo "make bench   set up, then time trainers, images and extraction beside peers: results/benchmarks"
	@echo "make bench-gpu  the same of trainers, extraction, attacks and training on a GPU"
	@echo "make quality run, then compare what our SAEs and two libraries' reach on its activations"
	@echo "make types   set up, then check the types of the whole package"
	@echo "make docs    set up, then build the documents as a site: docs/_build/index.html"
	@echo "make links   set up, then open every link of the documents: needs a network"
	@echo "make peers   only set up the libraries that SAEs are compared with, in .venv-peers"
	@echo "make plan    what a run would do and cost: jobs, rows, bytes, hours"
	@echo "make slurm-profile       link profiles/slurm so that snakemake --profile slurm finds it"
	@echo "make slurm-scale         what large plans, submission and groups cost, on such a Slurm"
	@echo "make slurm-cluster       a Slurm of three nodes on this machine, to try things (root, Debian)"
	@echo "make slurm-cluster-down  end it"
	@echo "make test-slurm          set up, then try a run and every fault on a real Slurm"
	@echo "make clean   remove .venv and .venv-peers (results stay)"
	@echo
	@echo "CONFIG=workflow/experiments/NAME.yaml picks another experiment, CORES=N limits the cores."

setup: $(READY)

$(READY): envs/requirements.txt pyproject.toml
	@case "$$PWD" in *[:\\]*) echo "$$PWD: no environment can lie in a path with : or \\ in it;" \
		"move the clone" >&2; exit 1;; esac
	"$$PYTHON" -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v >= (3, 11) else "interference needs Python 3.11 or newer, found %d.%d; name one with PYTHON=..." % v)'
	"$$PYTHON" -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -r envs/requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	$(BIN)/python -m compileall -q workflow/lib
	@pwd -P > $@

# The config is read before anything else, so that no job runs under one that is wrong.
checked: $(READY)
	@$(BIN)/interference config check "$$CONFIG"

plan: checked
	@$(BIN)/interference plan --configfile "$$CONFIG"

run: checked
	$(BIN)/snakemake --cores "$$CORES" --configfile "$$CONFIG"
	@set -e; results="$$($(BIN)/interference config results "$$CONFIG")"; set -x; \
	$(BIN)/snakemake --cores 1 --configfile "$$CONFIG" --report "$$results/report/snakemake.html"
	@set -e; results="$$($(BIN)/interference config results "$$CONFIG")"; \
	$(BIN)/interference report conclude "$$results"

test: $(READY) $(PEERS_READY)
	PATH="$$PWD/$(BIN):$$PATH" $(BIN)/python -m pytest -n 3 --dist loadgroup -m "not slurm"

test-slurm: $(READY)
	PATH="$$PWD/$(BIN):$$PATH" $(BIN)/python -m pytest -n 4 --dist loadgroup -m slurm tests/slurm

# Where Snakemake looks for a profile by its name.
slurm-profile:
	@profile="$${XDG_CONFIG_HOME:-$$HOME/.config}/snakemake/slurm"; \
	if [ "$$profile" -ef profiles/slurm ]; then echo "$$profile is this clone's already"; \
	elif [ -e "$$profile" ] || [ -L "$$profile" ]; then \
		echo "$$profile is there already and is not this clone's profiles/slurm: it stays as it is;" \
			"move it away first, or use --profile profiles/slurm" >&2; exit 1; \
	else mkdir -p "$${profile%/slurm}" && ln -s "$$PWD/profiles/slurm" "$$profile" && \
		echo "$$profile leads to $$PWD/profiles/slurm"; fi

slurm-scale: $(READY)
	$(BIN)/python -m tests.support.slurm.scale

slurm-cluster: $(READY)
	@$(BIN)/python -m tests.support.slurm.cluster up "$${CLUSTER:-/tmp/slurm-$$(id -un)}"

slurm-cluster-down: $(READY)
	@$(BIN)/python -m tests.support.slurm.cluster down "$${CLUSTER:-/tmp/slurm-$$(id -un)}"

bench: $(READY) $(PEERS_READY)
	$(BIN)/python -m tests.benchmarks.toy
	$(BIN)/python -m tests.benchmarks.extraction
	$(BIN)/python -m tests.benchmarks.images
	$(PEERS)/bin/python -m tests.benchmarks.saes
	$(PEERS)/bin/python -m tests.benchmarks.attacks

bench-gpu: $(READY) $(PEERS_READY)
	$(PEERS)/bin/python -m tests.benchmarks.gpu

quality: run $(PEERS_READY)
	$(PEERS)/bin/python -m tests.benchmarks.quality

types: $(READY)
	$(BIN)/python -m mypy

# A warning, such as a link to a page or heading that is not there, is an error.
docs: $(READY)
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build

links: $(READY)
	$(BIN)/sphinx-build -q -b linkcheck docs docs/_build/links

peers: $(PEERS_READY)

$(PEERS_READY): $(READY) tests/benchmarks/peers.txt
	$(BIN)/python -m venv --clear $(PEERS)
	$(BIN)/uv pip install --quiet --python $(PEERS)/bin/python -r tests/benchmarks/peers.txt
	$(BIN)/uv pip install --quiet --python $(PEERS)/bin/python --no-deps --editable .
	@pwd -P > $@

clean:
	rm -rf $(VENV) $(PEERS)

.PHONY: help setup anew checked plan run test test-slurm bench bench-gpu quality types docs links \
	peers clean slurm-profile slurm-scale slurm-cluster slurm-cluster-down
