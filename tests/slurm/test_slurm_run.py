"""A whole experiment on a cluster: every rule, on every node, and the bytes of a run on one machine."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.support import REPO
from tests.support.checkout import TINY, Checkout, contents, rule_blocks
from tests.support.slurm.cluster import running
from tests.support.slurm.controller import PLACE, snakemake

pytestmark = [pytest.mark.slurm, pytest.mark.xdist_group("slurm_run")]

#: Of the tiny experiment, what gives each wildcard two values and no more: radii beside the clean
#: network, layers, SAE types, attacks.
SHRUNK = {
    ("models", "epsilons"): {"l2": [0.5, 1.0]},
    ("attacks", "methods"): ("pgd", "noise"),
    ("saes", "types"): ("topk", "relu_l1"),
}
#: Rules whose verbs use a GPU where there is one.
GPU_RULES = {"trunk", "finetune", "adversarial_images", "activations_part", "activations",
             "attacked_activations", "splice", "saes", "baselines", "toy_models"}  # fmt: skip
#: Rules of networks that come from files; test_paper.py runs them.
OF_FILES = {"checkpoint", "predictions", "gates_table"}


@dataclass(frozen=True)
class Job:
    """A verb's run on the cluster, by its log."""

    rule: str
    node: str
    slurm: int
    cpus: int
    gpus: str


def shrink(checkout: Checkout) -> None:
    config = checkout.folder / TINY
    values = yaml.safe_load(config.read_text())
    for (section, name), chosen in SHRUNK.items():
        found = values[section][name]
        values[section][name] = (
            chosen if isinstance(chosen, dict) else {key: found[key] for key in chosen}
        )
    config.write_text(yaml.safe_dump(values))


@dataclass(frozen=True)
class Runs:
    """The same experiment twice: by Slurm's jobs, and on this machine."""

    slurm: Checkout
    local: Checkout
    said: str
    ended: list[dict[str, str]]

    @property
    def jobs(self) -> list[Job]:
        """Every job of the workflow that Slurm ran, read from the rules' logs."""
        done = self.slurm.snakemake("--summary")
        logs = {
            Path(fields[3]): fields[2]
            for line in done.stdout.splitlines()
            if len(fields := line.split("\t")) > 3 and fields[3].endswith(".log")
        }
        jobs = []
        for log, rule in logs.items():
            for node, slurm, cpus, gpus in PLACE.findall((self.slurm.folder / log).read_text()):
                jobs.append(Job(rule, node, int(slurm), int(cpus), gpus))
        return jobs


@pytest.fixture(scope="module")
def runs(slurm_is_here, tmp_path_factory) -> Iterator[Runs]:
    folder = tmp_path_factory.mktemp("cluster-run")
    checkouts = []
    for name in ("slurm", "local"):
        (folder / name).mkdir()
        checkouts.append(Checkout.copy(folder / name))
        shrink(checkouts[-1])
    on_slurm, local = checkouts
    with running() as cluster:
        # fewer cores than any machine has, so that a job that Snakemake clips by them is seen
        arguments = ("--configfile", TINY, "--cores=1")
        environment = on_slurm.environment
        with snakemake(cluster, on_slurm.folder, *arguments, environment=environment) as run:
            said = run.finish()
        ended = cluster.ended()
    done = local.snakemake("--cores", "2")
    assert done.returncode == 0, done.stdout
    yield Runs(on_slurm, local, said, ended)
    shutil.rmtree(folder)


def test_every_rule_ran_by_slurm_and_each_job_once(runs):
    assert {job.rule for job in runs.jobs} == rule_blocks().keys() - OF_FILES
    assert len(runs.jobs) == len(runs.slurm.recorded()) == len(runs.local.recorded())


def test_results_are_those_of_a_run_on_one_machine_to_the_byte(runs):
    on_slurm, local = contents(runs.slurm.results), contents(runs.local.results)
    assert on_slurm.keys() == local.keys()
    assert {name for name in local if local[name] != on_slurm[name]} == set()


def test_jobs_ran_on_every_node(runs):
    assert {job.node for job in runs.jobs} == {"node1", "node2", "node3"}


def test_jobs_see_a_gpu_where_their_verb_uses_one_and_none_elsewhere(runs):
    assert {job.rule for job in runs.jobs if job.gpus != "none"} == GPU_RULES
    assert {job.gpus for job in runs.jobs if job.rule in GPU_RULES} <= {"0", "1"}


def test_partitions_follow_from_what_jobs_ask_for(runs):
    partitions = {int(job["JobId"]): job["Partition"] for job in runs.ended}
    for job in runs.jobs:
        assert partitions[job.slurm] == ("gpu" if job.rule in GPU_RULES else "cpu"), job


def test_figures_of_an_arm_are_one_slurm_job_and_all_other_jobs_have_their_own(runs):
    groups = yaml.safe_load((REPO / "profiles" / "slurm" / "config.yaml").read_text())["groups"]
    shared = {groups[job.rule]: set() for job in runs.jobs if job.rule in groups}
    for job in runs.jobs:
        if job.rule in groups:
            shared[groups[job.rule]].add(job.slurm)
    assert [len(numbers) for numbers in shared.values()] == [1, 1]
    alone = [job.slurm for job in runs.jobs if job.rule not in groups]
    assert len(alone) == len(set(alone))


def test_nothing_is_left_to_do_after_it(runs):
    assert runs.slurm.plan().jobs == set()


def test_every_slurm_job_completed(runs):
    assert {job["JobState"] for job in runs.ended} == {"COMPLETED"}
    assert "Trying to restart" not in runs.said


def test_a_job_has_the_cpus_of_the_profile_which_cores_do_not_clip(runs):
    asked = yaml.safe_load((REPO / "profiles" / "slurm" / "config.yaml").read_text())
    for job in runs.jobs:
        if job.rule in GPU_RULES:
            assert job.cpus == asked["set-resources"][job.rule]["cpus_per_task"]
