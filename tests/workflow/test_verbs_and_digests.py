"""Every verb, as it really ran: what it loaded was in its digest, and it loaded nothing it does not need.

One file a process: its arguments and `sys.modules` at its end, recorded while the tiny experiment
ran, and the SAE types, attacks and steps of canvases that it lacks. A module that computes, is loaded, and is missing from the digest is the bug that
this file is for: editing it would leave stale results behind in silence.
"""

import json

import pytest
import yaml

from interference import gpu, provenance
from tests.support import REPO
from tests.support.checkout import TINY, Checkout, forget_sources

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

HEAVY = {
    "matplotlib",
    "numba",
    "numpy",
    "pandas",
    "pyarrow",
    "safetensors",
    "torch",
    "torchvision",
    "zarr",
}
NETWORK = {"numpy", "pyarrow", "safetensors", "torch", "torchvision", "zarr"}
#: verb → the heavy libraries that it needs, and so may load.
FIT = {"numba", "numpy", "pyarrow", "safetensors", "zarr", *(["torch"] if gpu.visible() else [])}
NEEDS = {
    "data images": {"numpy", "pyarrow", "zarr"},
    "models trunk": NETWORK,
    "models finetune": NETWORK,
    "models predict": NETWORK,
    "attacks craft": NETWORK,
    "attacks least": NETWORK,
    "attacks structure": NETWORK,
    "attacks exchange": NETWORK,
    "activations part": NETWORK,
    "activations extract": NETWORK,
    "saes fit": FIT,
    "saes baselines": FIT,
    "saes export": {"numba", "numpy", "safetensors"},
    "toy train": {"numba", "numpy", "safetensors", "torch"},
    "toy vulnerability": {"numpy", "pyarrow", "safetensors", "torch"},
    "toy geometry": {"numpy", "pyarrow", "safetensors", "torch"},
    "probes measure": NETWORK | {"numba"},
    "probes intervene": NETWORK | {"numba"},
    "probes defend": NETWORK | {"numba"},
    "probes gallery": NETWORK | {"numba"},
    "canvas learn": {"numpy", "pyarrow", "safetensors", "torch", "zarr"},
    "canvas flip": {"numpy", "pyarrow", "safetensors", "torch", "zarr"},
    "canvas transfer": {"numpy", "pyarrow", "safetensors", "torch", "zarr"},
    "canvas calibrate": {"numba", "numpy", "pyarrow", "safetensors", "torch", "zarr"},
    "canvas mount": NETWORK,
    "rivals classify": {"numba", "numpy", "pyarrow", "safetensors", "torch", "zarr"},
    "rivals aim": {"numba", "numpy", "pyarrow", "safetensors", "torch", "zarr"},
    "rivals count": {"numba", "numpy", "pyarrow", "safetensors", "torch", "zarr"},
    "rivals overlap": {"numba", "numpy", "pyarrow", "safetensors", "scipy", "torch", "zarr"},
    "rivals relearn": {"numba", "numpy", "pyarrow", "safetensors", "torch", "zarr"},
    "analysis table": {"numpy", "pandas", "pyarrow"},
    "analysis figure": {"matplotlib", "numpy", "pandas", "pyarrow", "safetensors"},
    "report page": {"matplotlib", "numpy", "pandas", "pyarrow"},
    "report conclude": {"numpy", "pandas", "pyarrow"},
    "report show": {"numpy", "pandas", "pyarrow"},
    "report cost": {"numpy", "pandas", "pyarrow"},
    "clean": set(),
    "config check": set(),
    "config describe": set(),
    "config results": set(),
    "plan": set(),
}
#: Verbs that no rule calls, and what to give them.
BY_HAND = {
    "report conclude": ["results/tiny"],
    "report show": ["results/tiny"],
    "report cost": ["results/tiny"],
    "clean": ["results/tiny", "--dry-run"],
    "config check": ["tests/experiments/tiny.yaml"],
    "config describe": [],
    "config results": ["tests/experiments/tiny.yaml"],
    "plan": ["--configfile", "tests/experiments/tiny.yaml"],
    "saes export": [
        "results/tiny/saes/clean-s0/stem/topk.json",
        "exported",
        "--rows",
        "results/tiny/activations/clean-s0/stem/rows.json",
    ],
}
#: Outside every digest: they plan, check, start and report.
NO_NUMBERS = ("config", "plan", "cli", "provenance", "progress")
#: About a run's controller, which tests/cluster runs; no job of the workflow has them.
OF_CONTROLLERS = {"launch", "status", "logs", "stop"}
#: Of finished runs: tests/report runs them, on the few figures of toy models and canvases.
OF_REPORTS = {"report export", "report verify", "report compare"}
#: Of networks from files, which the tiny experiment trains: test_paper.py runs them.
OF_FILES = {"models convert"}


def run_others(checkout: Checkout) -> None:
    """Run a job of each SAE type, attack and step of canvases and rivals that the tiny experiment lacks."""
    config = yaml.safe_load((REPO / TINY).read_text(encoding="utf-8"))
    every = yaml.safe_load((REPO / "tests/experiments/every.yaml").read_text(encoding="utf-8"))
    types, methods = config["saes"]["types"], config["attacks"]["methods"]
    others = every["saes"]["types"].keys() - types.keys()
    types |= {name: every["saes"]["types"][name] for name in others}
    there = {method["type"] for method in methods.values()}
    methods |= {
        method["type"].replace("_", "-"): method | {"norm": "l2", "epsilons": [1.0]}
        for method in every["attacks"]["methods"].values()
        if method["type"] not in there
    }
    others |= methods.keys() - there
    config["canvas"]["families"].append("factorial")
    config["canvas"] |= {name: every["canvas"][name] for name in ("transfer", "ruler", "mount")}
    config["rivals"] = every["rivals"]
    config["attacks"] |= {name: every["attacks"][name] for name in ("structure", "exchange")}
    (checkout.folder / "others.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    targets = [
        outputs[0]
        for job, outputs in checkout.plan(config="others.yaml").outputs.items()
        if job.endswith(tuple(f"/clean-s0/{name}" for name in others))
        or job.endswith(tuple(f"/clean-s0/stem/{name}" for name in others))
        or job
        in (
            "transfer/dense",
            "calibrate/dense/0",
            "mount/clean-s0/dense",
            "aim",
            "count/0",
            "overlap",
            "relearn/0",
            "structure/clean-s0",
            "exchange",
        )
    ]
    assert len(targets) == len(others) + 9 >= 14
    done = checkout.snakemake("--cores", "1", *targets, config="others.yaml")
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def verbs(completed) -> dict[str, list[dict]]:
    """Every process that ran, by its verb."""
    run_others(completed)
    for verb, arguments in BY_HAND.items():
        done = completed.run("interference", *verb.split(), *arguments)
        assert done.returncode == 0, done.stdout
    verbs: dict[str, list[dict]] = {}
    for record in completed.recorded():
        first, second, *_ = record["arguments"]
        verbs.setdefault(first if first in NEEDS else f"{first} {second}", []).append(record)
    return verbs


def own_processes(records: list[dict]) -> list[dict]:
    """Those that loaded their libraries themselves, at least one."""
    own = [record for record in records if "forked" not in record]
    assert own
    return own


def spec_of(record: dict) -> str:
    return record["arguments"][record["arguments"].index("--spec") + 1]


def test_every_verb_of_the_command_line_was_run(verbs):
    from interference.cli.main import app

    rooms = [("", app), *((f"{room.name} ", room.typer_instance) for room in app.registered_groups)]
    offered = {
        f"{prefix}{command.name or command.callback.__name__.replace('_', '-')}"
        for prefix, room in rooms
        for command in room.registered_commands
    }
    elsewhere = OF_CONTROLLERS | OF_FILES | OF_REPORTS
    assert offered > elsewhere
    assert offered - elsewhere == set(verbs) == set(NEEDS)


def test_every_module_of_the_package_that_a_verb_loads_is_in_its_digest(
    verbs, completed, monkeypatch
):
    monkeypatch.setattr(provenance, "ROOT", completed.package)
    forget_sources()
    missed = {}
    for verb, records in verbs.items():
        for record in records:
            if "--spec" not in record["arguments"]:
                continue
            roots = tuple(json.loads(spec_of(record))["code"]["roots"])
            covered = set(provenance.closure(roots))
            for module in record["modules"]:
                if not module.startswith("interference.") or module in covered:
                    continue
                if module.startswith(tuple(f"interference.{name}" for name in NO_NUMBERS)):
                    continue
                if provenance.source_path(module).read_text().strip():
                    missed.setdefault(f"{verb} ({', '.join(roots)})", set()).add(module)
    forget_sources()
    assert missed == {}


def test_a_verb_of_a_rule_loads_the_modules_that_its_spec_names(verbs):
    for verb, records in verbs.items():
        if verb in BY_HAND:
            continue
        for record in records:
            roots = set(json.loads(spec_of(record))["code"]["roots"])
            assert roots <= set(record["modules"]), verb


@pytest.mark.parametrize("verb", NEEDS)
def test_a_verb_loads_no_library_that_it_does_not_need(verb, verbs):
    for record in own_processes(verbs[verb]):
        loaded = {module.partition(".")[0] for module in record["modules"]}
        assert loaded & HEAVY - NEEDS[verb] == set()


def test_no_verb_loads_torchs_compiler(verbs):
    """1.4 CPU seconds a job: torchvision and `torch.optim` would import it."""
    for verb, records in verbs.items():
        for record in own_processes(records):
            assert not {"torch._dynamo", "torch._inductor", "sympy"} & set(record["modules"]), verb
