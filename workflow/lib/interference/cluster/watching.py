"""State of a launched run: its controller, its jobs, its progress."""

import re
from pathlib import Path

from interference.cluster import slurm
from interference.cluster.claims import FOLDER, FREE, Claim, Claims, standing, starts
from interference.cluster.launching import when
from interference.cluster.request import LaunchError
from interference.cluster.submission import log_path

#: What Snakemake says after each step of a start.
_PROGRESS = re.compile(r"^\d+ of \d+ steps \(.*\) done$", re.MULTILINE)


def find(results: Path | None) -> Path:
    """The results folder of a launched run: the named folder, or the only one here.

    Raises LaunchError where nothing was launched there, or more than one run here.
    """
    if results is not None:
        if not Path(results, FOLDER, "claims").is_dir():
            raise LaunchError(f"{results}: nothing was launched there; name results/EXPERIMENT")
        return Path(results)
    runs = sorted(path.parent.parent for path in Path("results").glob(f"*/{FOLDER}/claims"))
    if len(runs) == 1:
        return runs[0]
    choice = f"one of {', '.join(map(str, runs))}" if runs else "nothing was launched here yet"
    raise LaunchError(f"name the results folder of a run: {choice}")


def log_of(results: Path) -> Path:
    """The log of a run's last controller. Raises LaunchError where there is none yet."""
    job = Claims(results).all()[-1].job
    if not job or not log_path(results, job).exists():
        raise LaunchError(f"{results}: the controller has not started yet, so there is no log")
    return log_path(results, job)


def describe(results: Path) -> str:
    """A run's controller, jobs and progress as text. Raises SlurmError."""
    claims = Claims(results).all()
    last = claims[-1]
    queue, prefix = slurm.queue() if last.uses_slurm else [], slurm.job_prefix(results)
    lines = [f"{results}: {_controller(last, slurm.controllers(queue, prefix))}"]
    begun = starts([claim for claim in claims if claim.launch == last.launch])
    if begun:
        lines.append(f"  start {len(begun)} of this launch, on {begun[-1].host}")
    if last.uses_slurm:
        jobs = slurm.of_run(queue, prefix)
        waiting = sum(job.state == "PENDING" for job in jobs)
        lines.append(f"  its jobs in Slurm: {waiting} waiting, {len(jobs) - waiting} running")
    if last.job:
        log = log_path(results, last.job)
        lines += [f"  Snakemake, of what this start had to do: {progress(log)}", f"  log: {log}"]
    return "\n".join(lines)


def progress(log: Path) -> str:
    """The last line of Snakemake's progress in a controller's log, such as 3 of 8 steps (38%) done."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    said = _PROGRESS.findall(text[text.rfind("\nstart ") + 1 :])
    return said[-1] if said else "no step done yet"


def _controller(last: Claim, in_slurm: list[slurm.SlurmJob]) -> str:
    """The state of a run's controller in words; ``in_slurm`` are its controllers in Slurm's queue."""
    state = standing(last, len(in_slurm) if last.cluster == "slurm" else None)
    since = f"since {when(last.told)}"
    if last.state in FREE:
        code = "" if last.exit_code is None else f", Snakemake's exit code {last.exit_code}"
        return f"{last.state} {since}{code}"
    if state == "held":
        job = "".join(f"; Slurm says {job}" for job in in_slurm)
        return f"controlled by {last.who}, {last.state} {since}{job}"
    if state == "lost":
        return (
            f"its controller is gone ({last.who}, {last.state} {since}), killed by someone or "
            "something; launch again, and it resumes"
        )
    return f"controlled by {last.who} ({last.state} {since}), which cannot be seen from here"
