"""How a large plan fares: `make slurm-scale` tables dry runs, submission and grouping.

Dry runs are of the real workflow; submission and grouping are measured on a test cluster with jobs
that do nothing, so that what is left is Snakemake's and Slurm's own time.
"""

import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from tests.support.checkout import Checkout
from tests.support.slurm.cluster import Cluster, running
from tests.support.slurm.controller import BIN
from tests.support.slurm.journals import journal

#: Plans by their number of networks: so many radii beside the clean network, so many seeds.
PLANS = [(4, 6), (5, 16), (9, 33)]
#: One Slurm job for all jobs of the journal's workflow. Each of them starts a Snakemake of its own
#: within it, which needs some 250 MB beside what the job does.
ONE_GROUP = (
    *("--groups", "first=all", "second=all", "--group-components", "all=1000"),
    *("--set-resources", "first:mem_mb=1500", "second:mem_mb=1500"),
)


@dataclass(frozen=True)
class DryRun:
    """jobs planned; seconds of CPU; megabytes: the largest resident set."""

    jobs: int
    seconds: float
    megabytes: int


def dry_run(checkout: Checkout, radii: int, seeds: int, *arguments: str) -> DryRun:
    """Plan the default experiment with so many networks more."""
    values = yaml.safe_load((checkout.folder / "config.yaml").read_text(encoding="utf-8"))
    values["models"]["epsilons"] = {"l2": [0.25 * (i + 1) for i in range(radii)]}
    values["models"]["seeds"] = list(range(seeds))
    config = checkout.folder / f"{radii}-{seeds}.yaml"
    config.write_text(yaml.safe_dump(values), encoding="utf-8")
    command = [BIN / "snakemake", "--dry-run", "--configfile", config, *arguments]
    log = config.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=checkout.folder, env=checkout.environment, stdout=output, stderr=output
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    said = log.read_text(encoding="utf-8")
    assert process.returncode == 0, said
    jobs = re.search(r"^total +(\d+)$", said, re.MULTILINE)[1]
    return DryRun(int(jobs), used.ru_utime + used.ru_stime, used.ru_maxrss // 1024)


def growth(smaller: DryRun, larger: DryRun) -> float:
    """Seconds of CPU that each further job costs."""
    return (larger.seconds - smaller.seconds) / (larger.jobs - smaller.jobs)


def submission_rate(cluster: Cluster, folder: Path, jobs: int) -> float:
    """Jobs a second that reach Slurm, all nodes being drained so that none of them runs."""
    cluster.scontrol("update", "nodename=ALL", "state=drain", "reason=test")
    with journal(cluster, folder, f"--jobs={jobs}", tasks=jobs) as run:
        run.controller.wait_until(lambda: len(cluster.jobs()) == jobs, "all are submitted")
        shown = cluster.run("squeue", "--noheader", "--format=%V").split()
    cluster.scancel("--state=PENDING")
    times = sorted(map(datetime.fromisoformat, shown))
    return (jobs - 1) / max((times[-1] - times[0]).total_seconds(), 1)


def total(cluster: Cluster, folder: Path, tasks: int, *arguments: str) -> tuple[int, float]:
    """Slurm jobs and seconds that twice as many short jobs as tasks take in all."""
    before, since = len(cluster.ended()), time.monotonic()
    with journal(cluster, folder, *arguments, tasks=tasks) as run:
        run.finish()
    return len(cluster.ended()) - before, time.monotonic() - since


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        checkout = Checkout.copy(Path(folder))
        for arguments in ((), ("--profile=profiles/slurm",)):
            runs = [dry_run(checkout, *plan, *arguments) for plan in PLANS]
            print("dry run", *arguments)
            for run in runs:
                print(f"{run.jobs:8,} jobs {run.seconds:7.1f} s CPU {run.megabytes:6} MB")
            print(f"         each further job {1000 * growth(runs[0], runs[-1]):.1f} ms")
        with running() as cluster:
            for tasks, *arguments in ((12,), (12, *ONE_GROUP)):
                jobs, seconds = total(
                    cluster, Path(folder, f"t{len(arguments)}"), tasks, *arguments
                )
                print(f"{2 * tasks} short jobs as {jobs} of Slurm: {seconds:.0f} s")
            print(
                f"submission: {submission_rate(cluster, Path(folder, 's'), 300):.1f} jobs a second"
            )


if __name__ == "__main__":
    main()
