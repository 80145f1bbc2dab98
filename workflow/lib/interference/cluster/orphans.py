"""Jobs that an earlier Snakemake left behind: whoever starts the next one waits for them.

A Snakemake that was killed leaves its Slurm jobs, and a job that still waits or runs would be
submitted once more, so that two write one output. Those of a run are known by the prefix of their
names, whether or not Snakemake came to note them; those of a Snakemake that somebody started by hand
by what it noted in ``.snakemake/incomplete``: an output, and the Slurm job that makes it.
"""

import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from pathlib import Path

from interference.cluster.claims import Claim
from interference.cluster.slurm import SlurmError, SlurmJob, of_run, queue
from interference.progress import say

#: Seconds that a submission may still be under way whose sbatch was killed: Slurm's MessageTimeout.
SETTLE = 10.0
#: Seconds after which a node that is cut off from Slurm has seen, on a shared file system that caches
#: for up to a minute, that another start has taken over; then its Snakemake submits nothing any more.
LOST = 75.0
#: Seconds between two looks at the queue, at first and at most.
POLL = (2.0, 30.0)


def noted(results: str, folder: Path) -> set[str]:
    """Slurm jobs that Snakemake noted as makers of files below ``results``."""
    found = set()
    place = Path(folder, ".snakemake", "incomplete")
    for path in place.rglob("*"):
        name = "".join(part.removeprefix("@") for part in path.relative_to(place).parts)
        try:
            output = urlsafe_b64decode(name).decode()
            job = json.loads(path.read_text()).get("external_jobid")
        except (OSError, ValueError):  # a folder of long names, or a job that ended just now
            continue
        if job and output.startswith(f"{results}/"):
            found.add(str(job))
    return found


def left(prefix: str, results: str, folder: Path) -> list[SlurmJob]:
    """Jobs in the queue that may write to a run's results. Raises SlurmError."""
    jobs = queue()
    known = of_run(jobs, prefix)
    by_hand = noted(results, folder)
    return known + [job for job in jobs if job.id in by_hand and job not in known]


def settle_after(earlier: Sequence[Claim], host: str) -> float:
    """Seconds in which a job of an earlier start may still appear; ``host`` is this machine.

    A machine on which a start was cut off, and which is not this one, may be alive out of Slurm's sight.
    """
    starts = [claim for claim in earlier if claim.state not in ("launching", "queued")]
    if not starts:
        return 0.0
    return LOST if any(c.state == "running" and c.host != host for c in starts[-1:]) else SETTLE


def wait(look: Callable[[], list[SlurmJob]], settle: float = SETTLE) -> None:
    """Wait until two looks, ``settle`` seconds apart, find no job; Slurm's own limits end each job.

    A look that fails counts for nothing.
    """
    told: list[str] = []
    empty_since = None
    pause = POLL[0]
    while empty_since is None or time.monotonic() - empty_since < settle:
        try:
            jobs = look()
        except SlurmError as error:
            say(f"cannot see whether jobs of an earlier start are left: {error}")
            jobs, empty_since = [], None
        else:
            empty_since = None if jobs else (empty_since or time.monotonic())
        if jobs and told != [job.id for job in jobs]:
            told = [job.id for job in jobs]
            say(
                f"waiting for {len(jobs)} jobs of an earlier start, each until its own time limit at "
                f"most: {', '.join(map(str, jobs))}; not to wait: scancel {' '.join(told)}"
            )
        time.sleep(min(settle, POLL[0]) if empty_since else pause)
        pause = POLL[0] if not jobs else min(1.5 * pause, POLL[1])
    if told:
        say("no job of an earlier start is left")
