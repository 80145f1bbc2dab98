"""An experiment on a cluster: every rule, on every node, by the real profile; and one config, one result.

The run on cores used two of this machine, was killed with all its processes somewhere in the middle
of jobs, and was then taken up again. This one, in another folder, was Slurm's, one job at a node or several.
What both made must agree to the byte, so they answer for the seed, the cores, the executor, the folder and
the interruption at once.
"""

from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from interference.plan.catalogue import FIGURES, TABLES
from tests.support import REPO
from tests.support.checkout import contents, rule_blocks
from tests.support.slurm.controller import PLACE
from tests.support.tiny import PART

pytestmark = [pytest.mark.slurm, pytest.mark.xdist_group("by_slurm")]

PROFILE = yaml.safe_load((REPO / "profiles" / "slurm" / "config.yaml").read_text())
#: Rules whose verbs use a GPU where there is one.
GPU_RULES = {"trunk", "finetune", "craft", "part", "predict",
             "extract", "least", "structure", "exchange", "measure", "intervene", "defend", "gallery", "fit", "baselines", "train"}  # fmt: skip
#: Rules that the tiny experiment lacks: of networks from files, which test_paper.py runs, and of canvases
#: and rivals, which test_verbs_and_digests.py runs. And the page, which needs every job.
ELSEWHERE = {
    "convert",
    "transfer",
    "calibrate",
    "mount",
    "classify",
    "aim",
    "count",
    "overlap",
    "relearn",
    "structure",
    "exchange",
    "page",
}
#: Rules of a loop, which differ by their inputs alone: some of them run.
OF_LOOPS = {entry.rule for entry in (*TABLES, *FIGURES)}


@dataclass(frozen=True)
class Job:
    """A verb's run on the cluster, by its log."""

    rule: str
    node: str
    slurm: int
    cpus: int
    gpus: str


@pytest.fixture(scope="module")
def jobs(by_slurm) -> list[Job]:
    """Every job of the workflow that Slurm ran, read from the rules' logs."""
    done = by_slurm.checkout.snakemake("--summary", *by_slurm.targets)
    logs = {
        Path(fields[3]): fields[2]
        for line in done.stdout.splitlines()
        if len(fields := line.split("\t")) > 3 and fields[3].endswith(".log")
    }
    return [
        Job(rule, node, int(slurm), int(cpus), gpus)
        for log, rule in logs.items()
        for node, slurm, cpus, gpus in PLACE.findall((by_slurm.checkout.folder / log).read_text())
    ]


def test_every_rule_ran_by_slurm_and_each_job_once(by_slurm, jobs):
    ran = {job.rule for job in jobs}
    assert ran - OF_LOOPS == rule_blocks().keys() - ELSEWHERE - OF_LOOPS
    assert ran & OF_LOOPS == {name.partition("/")[0] for name in PART} & OF_LOOPS | {
        "toy_table",
        "dose_table",
    }
    assert len(jobs) == len(by_slurm.checkout.recorded())


def test_jobs_ran_on_every_node(jobs):
    assert {job.node for job in jobs} == {"node1", "node2", "node3"}


def test_jobs_see_a_gpu_where_their_verb_uses_one_and_none_elsewhere(jobs):
    assert {job.rule for job in jobs if job.gpus != "none"} == GPU_RULES - ELSEWHERE
    assert {job.gpus for job in jobs if job.rule in GPU_RULES} <= {"0", "1"}


def test_partitions_follow_from_what_jobs_ask_for(by_slurm, jobs):
    partitions = {int(ended["JobId"]): ended["Partition"] for ended in by_slurm.ended}
    for job in jobs:
        assert partitions[job.slurm] == ("gpu" if job.rule in GPU_RULES else "cpu"), job


def test_figures_of_an_arm_are_one_slurm_job_and_all_other_jobs_have_their_own(jobs):
    groups = PROFILE["groups"]
    shared = {groups[job.rule]: set() for job in jobs if job.rule in groups}
    for job in jobs:
        if job.rule in groups:
            shared[groups[job.rule]].add(job.slurm)
    assert [len(numbers) for numbers in shared.values()] == [1, 1, 1]
    alone = [job.slurm for job in jobs if job.rule not in groups]
    assert len(alone) == len(set(alone))


def test_every_slurm_job_completed(by_slurm):
    assert {job["JobState"] for job in by_slurm.ended} == {"COMPLETED"}
    assert "Trying to restart" not in by_slurm.said


def test_a_job_has_the_cpus_of_the_profile_which_cores_do_not_clip(jobs):
    for job in jobs:
        if job.rule in GPU_RULES:
            assert job.cpus == PROFILE["set-resources"][job.rule]["cpus_per_task"]


def test_results_are_those_of_one_machine_to_the_byte(by_slurm, on_cores):
    first, second = contents(on_cores.results), contents(by_slurm.checkout.results)
    assert second.keys() <= first.keys()
    assert {name for name in second if first[name] != second[name]} == set()


def test_the_comparison_covers_every_kind_of_result(by_slurm):
    names = contents(by_slurm.checkout.results)
    kinds = {name.rsplit(".", 1)[-1] for name in names if ".zarr/c/" not in name}
    assert kinds == {"json", "parquet", "safetensors", "csv", "svg", "png"}
    assert any(".zarr/c/" in name for name in names)


def test_nothing_is_left_to_do_after_it(by_slurm):
    assert by_slurm.checkout.plan(*by_slurm.targets).jobs == set()
