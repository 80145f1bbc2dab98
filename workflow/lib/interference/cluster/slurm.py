"""Slurm's queue: the jobs of a run, and how to end them.

The jobs of a run are known by their names. Snakemake's executor calls them ``PREFIX_UUID``, with a
new UUID at each start; the prefix that `job_prefix` makes belongs to one results folder, so that
neither another experiment nor another clone has it.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from interference.provenance import InterferenceError, digest

#: Seconds that squeue and scancel have to answer.
PATIENCE = 60
_FORMAT = "%i|%T|%L|%r|%N|%j|%Z"
_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class SlurmError(InterferenceError):
    """Slurm does not answer, or is not on this machine."""


@dataclass(frozen=True)
class SlurmJob:
    """A job in the queue, as squeue prints it.

    left: time until its limit
    reason: why it waits
    node: its node; empty while it waits
    folder: its working directory
    """

    id: str
    state: str
    left: str
    reason: str
    node: str
    name: str
    folder: str

    def __str__(self) -> str:
        """A job in a line of a log."""
        detail = self.reason if self.state == "PENDING" else f"{self.left} left"
        return f"{self.id} ({self.state}, {detail})"


def job_prefix(results: Path) -> str:
    """What names of a run's jobs begin with: at most 50 letters, digits and hyphens, as the plugin asks.

    results: the experiment's results folder; two paths to the same folder give the same prefix.
    """
    place = Path(results).resolve()
    name = re.sub(r"[^A-Za-z0-9-]", "-", place.name)[:30]
    text = os.fsencode(place).decode(errors="replace")  # the same under every locale
    return f"{name}-{digest(text)[:8]}"


def controller_name(prefix: str) -> str:
    """Name of a controller's Slurm job, which no job of the run has."""
    return f"{prefix}-controller"


def parse_queue(text: str) -> list[SlurmJob]:
    """Jobs in the output of `squeue`, in the format that `queue` asks for."""
    return [SlurmJob(*line.split("|", 6)) for line in text.splitlines() if line]


def queue() -> list[SlurmJob]:
    """All jobs of this user that wait, run or end. Raises SlurmError where Slurm does not answer."""
    command = ("squeue", "--noheader", f"--user={os.getuid()}", f"--format={_FORMAT}", "--sort=i")
    return parse_queue(_answer(*command))


def of_run(jobs: Collection[SlurmJob], prefix: str) -> list[SlurmJob]:
    """Jobs that Snakemake submitted for the run with this prefix."""
    return [job for job in jobs if job.name.startswith(f"{prefix}_")]


def by_hand(jobs: Collection[SlurmJob], folder: Path) -> list[SlurmJob]:
    """Jobs of a Snakemake in this working directory that was started by hand, not launched."""
    named = re.compile(f"(.*_)?{_UUID}")
    launched = re.compile(f".*-[0-9a-f]{{8}}_{_UUID}")
    return [
        job
        for job in jobs
        if named.fullmatch(job.name)
        and not launched.fullmatch(job.name)
        and Path(job.folder).resolve() == folder.resolve()
    ]


def controllers(jobs: Collection[SlurmJob], prefix: str) -> list[SlurmJob]:
    """Controllers of the run with this prefix: at most one, which may wait to be started again."""
    return [job for job in jobs if job.name == controller_name(prefix)]


def cancel(jobs: Collection[SlurmJob]) -> None:
    """Cancel jobs, except those that have ended meanwhile. Raises SlurmError."""
    if jobs:
        _answer("scancel", "--quiet", *(job.id for job in jobs))


def check_here() -> None:
    """Check that jobs can be submitted from here. Raises SlurmError."""
    if shutil.which("sbatch") is None:
        raise SlurmError(
            "sbatch is not here: launch from a login node of the cluster, after whatever your site "
            "asks for (such as `module load slurm`); on a workstation: --cluster local"
        )


def _answer(*command: str) -> str:
    """What a command of Slurm prints. Raises SlurmError where it fails or does not answer."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=PATIENCE,
        )
    except FileNotFoundError:
        raise SlurmError(f"{command[0]} is not here: run this where Slurm's commands are") from None
    except subprocess.TimeoutExpired:
        raise SlurmError(f"{command[0]} did not answer in {PATIENCE} s") from None
    if done.returncode:
        raise SlurmError(f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout
