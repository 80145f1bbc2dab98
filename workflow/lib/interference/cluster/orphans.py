"""Jobs that an earlier Snakemake left behind, which end before the next Snakemake starts.

A Snakemake that was killed leaves its Slurm jobs, and a job that still waits or runs would be
submitted again, so that two write one output. Jobs of a run are known by the prefix of their names,
whether or not Snakemake came to note them. Jobs of a Snakemake that somebody started by hand are known
by its working directory only, and waited for while ``.snakemake/incomplete`` says that outputs of this
experiment are being written.
"""

import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from pathlib import Path

from interference.cluster.claims import Claim, starts
from interference.cluster.slurm import SlurmError, SlurmJob, by_hand, of_run, queue
from interference.progress import say

#: Seconds that a submission may still be under way whose sbatch was killed: Slurm's MessageTimeout.
SETTLE = 10.0
#: Seconds after which a node that is cut off from Slurm has seen, on a shared file system that caches
#: for up to a minute, that another start has taken over; then its Snakemake submits nothing any more.
LOST = 75.0
#: Seconds between two looks at the queue, at first and at most.
POLL = (2.0, 30.0)


def being_written(results: str, folder: Path) -> bool:
    """Whether Snakemake noted that a file below ``results`` was begun, and not that it was finished."""
    place = Path(folder, ".snakemake", "incomplete")
    for path in place.rglob("*"):
        name = "".join(part.removeprefix("@") for part in path.relative_to(place).parts)
        try:
            if urlsafe_b64decode(name).decode().startswith(f"{results}/"):
                return True
        except ValueError:  # a part of a long name, or a file of another kind
            continue
    return False


def left(prefix: str, results: str, folder: Path) -> list[SlurmJob]:
    """Jobs in the queue that may write to a run's results. Raises SlurmError.

    prefix: what names of the run's jobs begin with
    """
    jobs = queue()
    others = by_hand(jobs, folder) if being_written(results, folder) else []
    return of_run(jobs, prefix) + others


def settle_after(earlier: Sequence[Claim], host: str) -> float:
    """Seconds in which a job of an earlier start may still appear.

    Another machine than this one, ``host``, may be alive out of Slurm's sight, with its start cut off.
    """
    last = starts(earlier)[-1:]
    if not last:
        return 0.0
    return LOST if last[0].state == "running" and last[0].host != host else SETTLE


def wait(look: Callable[[], list[SlurmJob]], settle: float = SETTLE) -> None:
    """Wait until two looks, ``settle`` seconds apart, see no job; Slurm's own limits end each job.

    A look that fails counts for nothing.
    """
    waited_for: list[str] = []
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
        if jobs and waited_for != [job.id for job in jobs]:
            waited_for = [job.id for job in jobs]
            say(
                f"waiting for {len(jobs)} jobs of an earlier start, each until its own time limit at "
                f"most: {', '.join(map(str, jobs))}; not to wait: scancel {' '.join(waited_for)}"
            )
        time.sleep(min(settle, POLL[0]) if empty_since else pause)
        pause = POLL[0] if not jobs else min(1.5 * pause, POLL[1])
    if waited_for:
        say("no job of an earlier start is left")
