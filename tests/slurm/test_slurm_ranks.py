"""Adversarial training on two nodes, two ranks each, by the real rule and the profile's own example."""

import json
import re
import shutil
from collections import Counter

import pytest
import yaml

from interference.store.files import sha256
from tests.support import REPO
from tests.support.checkout import TINY, Checkout
from tests.support.slurm.controller import PLACE, snakemake

PROFILE = REPO / "profiles" / "slurm" / "config.yaml"
#: The lines of the profile that a user takes the comment sign from.
EXAMPLES = re.findall(r"^  # (finetune: .*)$", PROFILE.read_text(), re.MULTILINE)
NETWORK = "results/tiny/models/l2-1-s0"


def in_ranks(example: str) -> str:
    """The profile with an example in place of its own line."""
    lines = PROFILE.read_text().splitlines()
    lines[lines.index("  finetune: *gpu")] = f"  {example}"
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_asks_slurm_and_srun_for_the_same_ranks_one_a_gpu(example):
    asked = yaml.safe_load(in_ranks(example))["set-resources"]["finetune"]
    inner = dict(re.findall(r"--([\w-]+)=(\d+)", asked["mpi"]))
    assert int(inner["nodes"]) == asked["nodes"]
    assert int(inner["ntasks"]) == asked["nodes"] * asked["tasks_per_node"]
    assert int(inner["cpus-per-task"]) == asked["cpus_per_task"]
    assert asked["gres"] == f"gpu:{asked['tasks_per_node']}"


@pytest.mark.slurm
@pytest.mark.xdist_group("by_slurm")
def test_two_nodes_train_one_network_in_two_ranks_each(cluster, on_cores, tmp_path):
    checkout = Checkout.copy(tmp_path)
    for room in ("data", "models"):
        shutil.copytree(on_cores.results / room, checkout.results / room)
    for path in checkout.results.glob("models/l2-1-s0*"):
        path.unlink()
    (example,) = (line for line in EXAMPLES if "nodes: 2" in line)
    (checkout.folder / "profiles" / "slurm" / "config.yaml").write_text(in_ranks(example))
    arguments = (f"{NETWORK}.json", "--configfile", TINY)
    with snakemake(
        cluster, checkout.folder, *arguments, environment=checkout.environment
    ) as controller:
        controller.finish()
    (log,) = checkout.results.glob("logs/models/**/l2-1-s0.log")
    said = log.read_text()
    assert sorted(re.findall(r"^rank (\d of \d):", said, re.MULTILINE)) == [
        f"{rank} of 4" for rank in range(4)
    ]
    places = PLACE.findall(said)
    assert Counter(node for node, *_ in places).most_common() == [
        (node, 2) for node in dict.fromkeys(node for node, *_ in places)
    ]
    assert {(cpus, gpus) for *_, cpus, gpus in places} == {("4", "0,1")}
    (job,) = {job for _, job, *_ in places}
    states = {ended["JobId"]: ended["JobState"] for ended in cluster.ended()}
    assert states[job] == "COMPLETED"
    manifest = json.loads((checkout.folder / f"{NETWORK}.json").read_text())
    assert manifest["ranks"] == 4
    assert manifest["sha256"] == sha256(checkout.folder / f"{NETWORK}.safetensors")
    trunk = json.loads((checkout.results / "models" / "trunk-s0.json").read_text())
    assert "ranks" not in trunk
    assert checkout.plan(f"{NETWORK}.json").jobs == set(), "on one machine nothing is to be done"
