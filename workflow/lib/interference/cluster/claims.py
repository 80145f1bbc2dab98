"""Numbered claims on an experiment's results folder, which say what process controls the run.

A run is a results folder: whatever writes to it has one controller, and another experiment in the
same working directory has its own. ``results/EXPERIMENT/controller/claims/`` holds one file per
change of hands: a launch, a start of the controller, a stop. The claim with the highest number counts.
Taking the next number is atomic (a hard link, which fails where the name is there), so of two launches
at one instant, or of a launch and a controller that starts again, one comes first and the other sees
it. A claim is written by the process that took it and by no other.
"""

import json
import os
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from interference.cluster import processes
from interference.store.files import write_json

#: Folder of a run's controller, below its results.
FOLDER = "controller"
#: States of a run that nobody holds.
FREE = ("ended", "stopped")
#: What a run is by its last claim; lost: its holder is gone.
Standing = Literal["free", "held", "lost", "unknown"]


@dataclass(frozen=True)
class Claim:
    """A hold on a run.

    launch: id that a launch shares with every start of its controller
    state: launching, queued, running, stopping (held); requeued (held by a job that waits); ended,
        stopped (free)
    cluster: slurm or local, where the controller is
    job: id of the Slurm job, or number of submitit's process here; empty before it is known
    executor: slurm or local, where the jobs of the run are
    host: name of the machine of the process that took it
    process: number of that process; of a queued local run, of submitit's process
    born: when that process began, seconds since 1970
    session: session of the Snakemake that it started; 0 before
    locks: Snakemake's locks that this Snakemake made: name, time of change in nanoseconds
    plan: digest of what its jobs' specs depend on; empty before it starts Snakemake
    told: time of the last change, seconds since 1970
    exit_code: exit code of its Snakemake; None until that has ended by itself
    """

    launch: str
    state: str
    cluster: str
    job: str = ""
    executor: str = "local"
    host: str = field(default_factory=socket.gethostname)
    process: int = field(default_factory=os.getpid)
    born: float = field(default_factory=lambda: processes.born(os.getpid()))
    session: int = 0
    locks: dict[str, int] = field(default_factory=dict)
    plan: str = ""
    told: float = field(default_factory=time.time)
    exit_code: int | None = None

    @property
    def uses_slurm(self) -> bool:
        return "slurm" in (self.cluster, self.executor)

    @property
    def who(self) -> str:
        """The holder, in words."""
        if self.cluster == "slurm" and self.job:
            return f"Slurm job {self.job}"
        return f"process {self.process} on {self.host}"


def starts(claims: Sequence[Claim]) -> list[Claim]:
    """Claims that starts of a controller took, without those of launches and stops."""
    return [claim for claim in claims if claim.state in ("running", "requeued", "ended")]


class Claims:
    """The claims on one results folder."""

    def __init__(self, results: Path):
        self.folder = Path(results, FOLDER, "claims")

    def path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"

    def all(self) -> list[Claim]:
        """Every claim, the oldest first; the claim with number n is the nth."""
        paths = sorted(self.folder.glob("[0-9]*.json"))
        return [Claim(**json.loads(path.read_text(encoding="utf-8"))) for path in paths]

    def take(self, number: int, claim: Claim) -> bool:
        """Take a claim under the next number; False where another process was first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        written = self.folder / f".{uuid.uuid4().hex}"
        write_json(written, asdict(claim))
        try:
            self.path(number).hardlink_to(written)
        except FileExistsError:
            return False
        finally:
            written.unlink()
        return True

    def update(self, number: int, claim: Claim) -> Claim:
        """Write the claim of this process anew, with the time; the claim as it is written."""
        changed = replace(claim, told=time.time())
        write_json(self.path(number), asdict(changed))
        return changed


def standing(last: Claim | None, controllers: int | None) -> Standing:
    """What a run is by its last claim.

    controllers: how many controllers of the run Slurm has; None where it was not asked or was mute.
    """
    if last is None or last.state in FREE:
        return "free"
    if last.cluster == "slurm" and controllers:
        return "held"
    if last.cluster == "slurm" and last.job and last.state != "stopping":
        return "unknown" if controllers is None else "lost"
    if last.host != socket.gethostname():
        return "unknown"
    return "held" if processes.is_alive(last.process, last.born) else "lost"
