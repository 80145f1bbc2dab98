"""Verbs of a run whose controller needs no terminal: launch it, look at it, stop it."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from interference.progress import say


class Where(StrEnum):
    slurm = "slurm"
    local = "local"


Results = Annotated[
    Path | None,
    typer.Argument(help="A run's results folder, results/EXPERIMENT; the only one where left out."),
]


def launch(
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Snakemake's own arguments, after `--`.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(help="A profile: name or path.  [default: slurm; with --cluster local, none]"),
    ] = None,
    cluster: Annotated[
        Where, typer.Option(help="Where the controller is: a Slurm job, or a process here.")
    ] = Where.slurm,
    partition: Annotated[
        str | None, typer.Option(help="The controller's partition, one that is not preempted.")
    ] = None,
    account: Annotated[
        str | None, typer.Option(help="The account that the controller uses.")
    ] = None,
    minutes: Annotated[
        int, typer.Option(min=1, help="The controller's time limit; it starts anew after that.")
    ] = 1440,
    memory: Annotated[
        int | None, typer.Option(min=100, help="Its memory in MB.  [default: by the plan]")
    ] = None,
) -> None:
    """Start a run that goes on by itself: `interference launch --profile slurm -- --configfile X`.

    What follows `--` is Snakemake's; with -n among it, the plan is shown and nothing is submitted.
    """
    from interference.cluster import launching, slurm
    from interference.cluster.request import read
    from interference.cluster.submission import Resources, log_path, memory_for
    from interference.config.load import check_path
    from interference.plan.jobs import describe, rules

    request = read(
        profile or ("slurm" if cluster == "slurm" else None), arguments or [], Path.cwd()
    )
    if "slurm" in (cluster, request.executor):
        slurm.check_here()
    if request.executor == "slurm":
        check_path(sys.executable)
    if request.dry_run:
        print(launching.dry_run(request), end="")
        return
    earlier = launching.check_free(request)
    todo = launching.todo(launching.dry_run(request, "--quiet=rules"))
    if not todo and (not earlier or earlier[-1].exit_code == 0):
        print(f"{request.results} is complete: nothing to launch")
        return
    jobs = sum(rule.jobs for rule in rules(request.config))
    resources = Resources(minutes, memory or memory_for(jobs), partition, account)
    print(describe(request.config))
    print(f"what is left of it, by Snakemake's own plan:\n{todo or 'to record what is there'}")
    devices = os.environ.get("CUDA_VISIBLE_DEVICES")
    claim = launching.launch(request, str(cluster), resources, devices)
    kind = f"Slurm job {claim.job}: {resources}" if cluster == "slurm" else f"process {claim.job}"
    print(f"its controller is {kind}; log: {log_path(Path(request.results), claim.job)}")
    print(f"now: interference status|logs|stop {request.results}")


def status(results: Results = None) -> None:
    """Say what a launched run does: its controller, its jobs, its progress."""
    from interference.cluster.watching import describe, find

    print(describe(find(results)))


def logs(
    results: Results = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
) -> None:
    """Print the log of a run's controller, with all that Snakemake says."""
    from interference.cluster.watching import find, log_of

    log = log_of(find(results))
    say(f"{log}:")
    if follow:
        os.execvp("tail", ["tail", "-n", "+1", "-F", str(log)])
    print(log.read_text(encoding="utf-8", errors="replace"), end="")


def stop(
    results: Results = None,
    jobs: Annotated[bool, typer.Option("--jobs", help="Cancel its jobs in Slurm too.")] = False,
) -> None:
    """End a run's controller; its results stay, and another launch resumes."""
    from interference.cluster.stopping import stop as end
    from interference.cluster.watching import find

    end(find(results), jobs=jobs)
