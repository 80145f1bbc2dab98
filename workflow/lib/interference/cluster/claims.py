"""Who controls a run: numbered claims on an experiment's results folder, each taken by one process.

A run is one results folder: whatever writes to it has one controller, and another experiment in the
same working directory has its own. ``results/EXPERIMENT/controller/claims/`` holds a file for each
change of hands: a launch, each start of the controller, a stop. The one with the highest number
counts. Taking the next number is atomic (a hard link, which fails where the name is there), so of two
launches at one instant, or of a launch and a controller that starts again, one comes first and the
other sees it. Only who made a claim writes to it.
"""

import json
import os
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from interference.cluster import processes
from interference.store.files import write_json

#: Where a run keeps what is about its controller, below its results.
FOLDER = "controller"
#: States of a run that nobody holds.
FREE = ("ended", "stopped")


@dataclass(frozen=True)
class Claim:
    """One hold on a run.

    launch: an id that a launch shares with every start of its controller
    state: launching, queued, running, stopping (held); requeued (held by a job that waits); ended,
        stopped (free)
    cluster: slurm or local, where the controller is; executor: likewise, where its jobs are
    job: the Slurm job, or the number of submitit's process on this machine; empty before it is known
    host, process, born: who made the claim (of a queued local run: submitit's process)
    session: that of the Snakemake it started, 0 before
    locks: Snakemake's locks that this Snakemake made
    plan: a digest of what its jobs' specs depend on; empty before it starts Snakemake
    told: seconds since 1970 of the last change
    exit_code: Snakemake's, once it has ended by itself
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
    """Those that are the start of a controller, not a launch or a stop."""
    return [claim for claim in claims if claim.state in ("running", "requeued", "ended")]


class Claims:
    """The claims on one results folder."""

    def __init__(self, results: Path):
        self.folder = Path(results, FOLDER, "claims")

    def path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.json"

    def all(self) -> list[Claim]:
        """Every claim, the oldest first: the claim with number n is the nth."""
        paths = sorted(self.folder.glob("[0-9]*.json"))
        return [Claim(**json.loads(path.read_text(encoding="utf-8"))) for path in paths]

    def take(self, number: int, claim: Claim) -> bool:
        """Make a claim under a number that was free; False where another was first."""
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

    def update(self, number: int, claim: Claim, **changes: object) -> Claim:
        """Change one's own claim."""
        changed = replace(claim, told=time.time(), **changes)
        write_json(self.path(number), asdict(changed))
        return changed


def standing(last: Claim | None, controllers: int | None) -> str:
    """What the last claim on a run says: free, held, lost (its holder is gone), or unknown.

    controllers: how many controllers of this run Slurm has, None where it was not asked or did not
        answer.
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
