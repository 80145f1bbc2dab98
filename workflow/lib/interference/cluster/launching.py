"""Launching of a run: refuse where it is held, claim it, submit its controller."""

import subprocess
import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path

from interference.cluster import locks, processes, slurm
from interference.cluster.claims import Claim, Claims, standing
from interference.cluster.controller import Controller, Run
from interference.cluster.request import LaunchError, Request
from interference.cluster.submission import Resources, submit_here, submit_to_slurm


def command(request: Request, *options: str) -> tuple[str, ...]:
    """Snakemake's arguments; those given to the launch come last and unchanged."""
    profile = ("--profile", str(request.profile)) if request.profile else ()
    named = ("--slurm-jobname-prefix", slurm.job_prefix(request.folder / request.results))
    return (*profile, *named, "--rerun-incomplete", *options, *request.arguments)


def dry_run(request: Request, *options: str) -> str:
    """What Snakemake would do, in its own words. Raises LaunchError where it refuses."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *command(request, "--dry-run", *options)],
        cwd=request.folder,
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        raise LaunchError(f"snakemake would not run:\n{done.stdout.strip()}")
    return done.stdout


def todo(said: str) -> str:
    """The table of jobs in a dry run's words; empty where there is nothing to do."""
    return said.partition("Job stats:\n")[2].partition("\n\n")[0]


def check_free(request: Request) -> list[Claim]:
    """Check that nobody holds a run; returns its claims so far.

    Raises LaunchError, which says who holds it and what to do.
    """
    claims = Claims(request.folder / request.results).all()
    last, results = (claims[-1] if claims else None), request.results
    state = standing(last, controllers_in_slurm(last, request.folder / results))
    path = Claims(request.folder / results).path(len(claims))
    if last and state == "held":
        raise LaunchError(
            f"{results} has a controller already: {last.who}, {last.state} since {when(last.told)}. "
            f"`interference status {results}` shows it, `interference stop {results}` ends it"
        )
    if last and state == "unknown":
        raise LaunchError(
            f"{results} was taken by {last.who} at {when(last.told)} ({last.state}), and from here it "
            "cannot be seen whether that is alive: Slurm does not answer, or it is another machine. "
            f"Try again from there; where you know that it is gone, remove {path}"
        )
    held = locks.locks_on(results, request.folder)
    if strange := locks.foreign(held, (claim.locks for claim in claims)):
        raise LaunchError(locks.complaint(results, strange, request.folder))
    return claims


def controllers_in_slurm(last: Claim | None, results: Path) -> int | None:
    """How many controllers of a run Slurm has; None where the run is not in Slurm, or Slurm is mute."""
    if last is None or last.cluster != "slurm":
        return None
    try:
        return len(slurm.controllers(slurm.queue(), slurm.job_prefix(results)))
    except slurm.SlurmError:
        return None


def launch(request: Request, cluster: str, resources: Resources, devices: str | None) -> Claim:
    """Claim a free run and submit its controller; returns the claim. Raises LaunchError.

    cluster: slurm or local, where the controller is to be
    resources: what it asks for in Slurm
    devices: CUDA_VISIBLE_DEVICES of this process
    """
    claims = Claims(request.folder / request.results)
    number = len(check_free(request)) + 1
    own = Claim(uuid.uuid4().hex, "launching", cluster, executor=request.executor)
    if not claims.take(number, own):
        raise LaunchError(f"{request.results}: another launch came first, just now")
    run = Run(
        launch=own.launch,
        cluster=cluster,
        arguments=command(request),
        executor=request.executor,
        folder=request.folder,
        results=request.results,
        devices=devices,
    )
    try:
        if cluster == "slurm":
            queued = replace(own, job=submit_to_slurm(Controller(run), resources))
        else:
            job = submit_here(Controller(run))
            queued = replace(own, job=job, process=int(job), born=processes.born(int(job)))
        return claims.update(number, replace(queued, state="queued"))
    except BaseException:
        claims.update(number, replace(own, state="stopped"))
        raise


def when(seconds: float) -> str:
    """A time, seconds since 1970, as people write it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
