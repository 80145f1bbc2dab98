"""Stopping of a run: end its controller, on request its jobs, and leave a folder that can be resumed."""

import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from interference.cluster import locks, orphans, processes, slurm
from interference.cluster.claims import Claim, Claims, standing
from interference.cluster.controller import MARK
from interference.cluster.launching import controllers_in_slurm
from interference.cluster.request import LaunchError
from interference.progress import say

#: Seconds that a controller has to end: Slurm kills it after its KillWait, 30 by default.
_PATIENCE = 180.0


def stop(results: Path, *, jobs: bool) -> None:
    """End the controller of a run; with ``jobs`` also its jobs in Slurm. Raises LaunchError, SlurmError.

    The claim comes first, so that a controller that starts again just now ends by itself.
    """
    folder, name = results.absolute().parents[1], f"results/{results.name}"
    prefix = slurm.job_prefix(results)
    claims = Claims(results)
    number, own = _claim(claims, results)
    known = claims.all()[: number - 1]
    if own.cluster == "slurm":
        _end_in_slurm(prefix)
    _end_here(known, prefix)
    look = partial(orphans.left, prefix, name, folder)
    if jobs and own.uses_slurm:
        _end_jobs(look)
    held = locks.locks_on(name, folder)
    strange = locks.foreign(held, (claim.locks for claim in known))
    locks.remove(held.keys() - set(strange), folder)
    claims.update(number, replace(own, state="stopped"))
    left = look() if own.uses_slurm else []
    say(f"{results}: stopped; launch again, and it resumes")
    if left:
        say(f"its jobs go on, and the next launch waits for them: {', '.join(map(str, left))}")
    if strange:
        say(locks.complaint(name, strange, folder))


def _claim(claims: Claims, results: Path) -> tuple[int, Claim]:
    """Claim a run in order to stop it: the number and the claim. Raises LaunchError."""
    while True:
        known = claims.all()
        last = known[-1]
        state = standing(last, controllers_in_slurm(last, results))
        if state == "unknown" or (state == "held" and last.state == "stopping"):
            raise LaunchError(
                f"{results}: held by {last.who} ({last.state}), which cannot be ended from here; "
                f"where you know that it is gone, remove {claims.path(len(known))}"
            )
        own = Claim(last.launch, "stopping", last.cluster, last.job, last.executor)
        if claims.take(len(known) + 1, own):
            return len(known) + 1, own


def _end_in_slurm(prefix: str) -> None:
    """Cancel the controller and wait until Slurm has none."""
    deadline = time.monotonic() + _PATIENCE
    while controllers := slurm.controllers(slurm.queue(), prefix):
        if time.monotonic() > deadline:
            raise slurm.SlurmError(f"{controllers[0]} does not end; stop again, or ask your site")
        slurm.cancel(controllers)
        time.sleep(1)


def _end_here(known: Sequence[Claim], prefix: str) -> None:
    """Kill what this machine's claims started: submitit first, which would start a controller anew."""
    for claim in known:
        here = claim.cluster == "local" and claim.launch == known[-1].launch
        if here and processes.is_alive(claim.process, claim.born):
            os.kill(claim.process, signal.SIGKILL)
        if claim.session and claim.host == socket.gethostname():
            processes.end_session(claim.session, (MARK, prefix))


def _end_jobs(look: Callable[[], list[slurm.SlurmJob]]) -> None:
    """Cancel jobs until no new one has come for as long as a submission may be under way."""
    empty_since = None
    while empty_since is None or time.monotonic() - empty_since < orphans.SETTLE:
        jobs = look()
        empty_since = None if jobs else (empty_since or time.monotonic())
        slurm.cancel([job for job in jobs if job.state != "COMPLETING"])
        time.sleep(1)
