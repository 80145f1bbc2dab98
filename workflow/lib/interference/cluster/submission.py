"""Submission of a controller: as a small job in Slurm, or as a process here that outlives a logout."""

import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from submitit import LocalExecutor, SlurmExecutor

from interference.cluster.claims import FOLDER
from interference.cluster.controller import Controller
from interference.cluster.processes import cleaned
from interference.cluster.request import LaunchError
from interference.cluster.slurm import controller_name

#: How often submitit starts a controller again after a time-out: without end.
_STARTS = 10**9
#: Minutes that submitit gives a controller on a workstation: ten years.
_FOREVER = 10 * 365 * 24 * 60


@dataclass(frozen=True)
class Resources:
    """What a controller in Slurm asks for, besides a CPU.

    minutes: its time limit; it starts anew after that
    memory: in MB
    partition, account: None for the site's default
    """

    minutes: int
    memory: int
    partition: str | None = None
    account: str | None = None

    def __str__(self) -> str:
        where = self.partition or "the default"
        return f"1 CPU, {self.memory} MB, {self.minutes} minutes at a time, partition: {where}"

    @property
    def warning(self) -> int:
        """Seconds from the signal to the time limit; Slurm may send it a minute early."""
        return min(120, 30 * self.minutes)


def memory_for(jobs: int) -> int:
    """Memory in MB for the controller of a plan with this many jobs: 1 GB, and 1 GB per 10,000 jobs."""
    return 1000 + jobs // 10


def log_path(results: Path, job: str) -> Path:
    """The log of all starts of a controller."""
    return Path(results, FOLDER, f"{job}_0_log.out")


def submit_to_slurm(controller: Controller, resources: Resources) -> str:
    """Submit a controller to Slurm; returns the job's id. Raises LaunchError with sbatch's words."""
    run = controller.run
    executor = SlurmExecutor(run.folder / run.results / FOLDER, max_num_timeout=_STARTS)
    executor.update_parameters(
        job_name=controller_name(run.prefix),
        time=resources.minutes,
        mem=f"{resources.memory}M",
        cpus_per_task=1,
        partition=resources.partition,
        account=resources.account,
        signal_delay_s=resources.warning,
        stderr_to_stdout=True,
        additional_parameters={"requeue": True},
    )
    with _environment():
        try:
            return executor.submit(controller).job_id
        except Exception as error:  # submitit raises its own, with sbatch's words
            raise LaunchError(f"the controller could not be submitted: {error}") from None


def submit_here(controller: Controller) -> str:
    """Start submitit's process on this machine, in its own session; returns its number.

    Raises LaunchError where it does not start.
    """
    run = controller.run
    folder = run.folder / run.results / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    reader, writer = os.pipe()
    if os.fork() == 0:  # what is started here must not hold the terminal, nor end with it
        try:
            os.setsid()
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            _redirect(folder / "submitit.log")
            executor = LocalExecutor(folder)
            executor.update_parameters(timeout_min=_FOREVER, stderr_to_stdout=True)
            with _environment():
                os.write(writer, executor.submit(controller).job_id.encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        job = pipe.read()
    os.wait()
    if not job:
        raise LaunchError(f"the controller did not start: {folder / 'submitit.log'} says why")
    return job


def _redirect(log: Path) -> None:
    """Read from nowhere, and write to a log."""
    with open(os.devnull, "rb") as nothing, log.open("ab") as file:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


@contextmanager
def _environment() -> Iterator[None]:
    """Take the variables of a Slurm job out of the environment; they are back at the end."""
    saved = dict(os.environ)
    kept = cleaned(saved)
    for name in saved.keys() - kept.keys():
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(saved)
