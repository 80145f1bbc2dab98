"""The experiment of tests/experiments/tiny.yaml: its jobs, written by hand, and its run."""

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.support import REPO
from tests.support.checkout import TINY, Checkout
from tests.support.slurm.cluster import running
from tests.support.slurm.controller import snakemake
from tests.support.specs import Patterns
from tests.support.tables import DRAWN, IN_TINY
from tests.support.waiting import locked, wait_until

MODELS, LAYERS, TYPES = ("clean-s0", "l2-1-s0"), ("stem", "layer2"), ("topk", "relu_l1")
ATTACKS = ("pgd", "noise")
#: Every job of the tiny experiment.
JOBS = {
    "images",
    "trunk/0",
    *(f"{rule}/{m}" for rule in ("finetune", "predict", "least", "defend") for m in MODELS),
    *(f"craft/{m}/{a}" for m in MODELS for a in ATTACKS),
    *(
        f"{rule}/{m}/{layer}"
        for rule in ("extract", "baselines", "measure", "intervene")
        for m in MODELS
        for layer in LAYERS
    ),
    *(f"gallery/{m}" for m in MODELS),
    *(f"part/{m}/{layer}/{i}" for m in MODELS for layer in LAYERS for i in range(2)),
    *(f"fit/{m}/{n}/{t}" for m in MODELS for n in LAYERS for t in TYPES),
    "train",
    "vulnerability",
    "geometry",
    *(f"{rule}/dose/dense/{seed}" for rule in ("learn", "flip") for seed in (0, 1)),
    *(f"{name}_table" for name in (*IN_TINY, "toy", "dose", "claims")),
    "toy_figure",
    "toy_attacks_figure",
    "toy_controls_figure",
    "toy_elhage_figure",
    "toy_geometry_figure",
    "toy_interference_figure",
    "toy_densities_figure",
    "canvas_dose_figure",
    "canvas_graphs_figure",
    *(f"{name}_figure/resnet18" for name in DRAWN if name in IN_TINY),
    *(f"fvu_figure/resnet18/{layer}" for layer in LAYERS),
    *(f"{name}_figure/resnet18/{t}" for name in ("matched", "fair") for t in TYPES),
    *(f"{name}_figure/{m}" for name in ("l0", "gallery") for m in MODELS),
    "page",
}
#: Jobs that with what they need are some of every rule, of tables and figures some.
PART = (
    "measure/clean-s0/layer2",
    "intervene/clean-s0/layer2",
    "defend/clean-s0",
    "gallery/clean-s0",
    "baselines/clean-s0/layer2",
    "accuracy_table",
    "accuracy_figure/resnet18",
    "least/clean-s0",
    "toy_figure",
    "toy_geometry_figure",
    "canvas_dose_figure",
)
#: What an edit reruns of it, and names for groups of its jobs.
RERUNS = yaml.safe_load((REPO / "tests" / "workflow" / "reruns.yaml").read_text(encoding="utf-8"))
_GROUPS = Patterns(RERUNS["groups"])


def picked(*names: str) -> set[str]:
    """Jobs of the experiment that patterns, or names of groups, pick."""
    return _GROUPS.chosen(JOBS, names)


def complete(checkout: Checkout, *jobs: str, seed: int = 1) -> None:
    """Run it on two cores; it is killed once in the middle of jobs, and taken up again.

    jobs: those of `JOBS` that are asked for, with what they need; without any, all are. Whoever compares with it sees what a fault or another number of cores does to results.
    """
    where = checkout.run("python", "-c", "import interference; print(interference.__file__)")
    assert where.stdout.strip() == str(checkout.package / "__init__.py")
    targets = _targets(checkout, jobs)
    planned = len(checkout.plan("--forceall", *targets).jobs)
    draw = random.Random(seed)
    ended, delay = draw.randint(8, planned // 2), draw.uniform(0.5, 2.0)
    log = checkout.folder / "killed.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["snakemake", *targets, "--configfile", TINY, "--cores", "2"],
            cwd=checkout.folder,
            env=checkout.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )

    def enough() -> bool:
        assert process.poll() is None, f"it ended before it could be killed:\n{log.read_text()}"
        return len(list(checkout.records.iterdir())) >= ended

    try:
        wait_until(enough, f"{ended} jobs ended")
        time.sleep(delay)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    unlocked = checkout.snakemake("--unlock")
    assert unlocked.returncode == 0, unlocked.stdout
    done = checkout.snakemake("--cores", "2", "--rerun-incomplete", "--verbose", *targets)
    assert done.returncode == 0, done.stdout
    assert len(checkout.recorded()) <= planned + 2, "what had ended ran again"
    (ran,) = re.findall(r"^(\d+) of \1 steps \(100%\) done", done.stdout, re.MULTILINE)
    assert 0 < done.stdout.count("Ready jobs: ") <= int(ran) + 1, "it looks for work all the time"


def completed_once(factory: pytest.TempPathFactory, *jobs: str) -> Checkout:
    """The copy in which they ran to their end, by whichever worker of a test run comes first."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "completed"
    checkout = Checkout.of(folder)
    with locked(folder.with_suffix(".lock")):
        if not (folder / "done").exists():
            complete(Checkout.copy(folder), *jobs)
            (folder / "done").touch()
    return checkout


def _targets(checkout: Checkout, jobs: Collection[str]) -> list[str]:
    """An output of each of the jobs."""
    outputs = checkout.plan("--forceall").outputs if jobs else {}
    return [outputs[job][0] for job in jobs]


@dataclass(frozen=True)
class BySlurm:
    """`PART` of the experiment in another folder, by Slurm, and the outputs that were asked for.

    said: what Snakemake printed; ended: what Slurm logged of its jobs.
    """

    checkout: Checkout
    targets: list[str]
    said: str
    ended: list[dict[str, str]]


def run_by_slurm(folder: Path) -> BySlurm:
    """Run `PART` of it on a cluster of its own."""
    checkout = Checkout.copy(folder)
    targets = _targets(checkout, PART)
    with running() as cluster:
        # fewer cores than any machine has, so that a job that Snakemake clips by them is seen
        arguments = (*targets, "--configfile", TINY, "--cores=1")
        environment = checkout.environment
        with snakemake(cluster, checkout.folder, *arguments, environment=environment) as run:
            said = run.finish()
        return BySlurm(checkout, targets, said, cluster.ended())
