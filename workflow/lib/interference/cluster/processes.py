"""Processes of this machine: their identity, children that never outlive a parent, ends of sessions."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

#: Option of Linux's prctl: the signal that a process gets when its parent ends.
_PR_SET_PDEATHSIG = 1
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
#: Variables of a Slurm job and of submitit, which jobs of Snakemake must not take for their own.
_FOREIGN = ("SLURM_", "SLURMD_", "SBATCH_", "SRUN_", "SUBMITIT_")


def born(pid: int) -> float:
    """When a process began, in seconds since 1970; 0 where it has ended.

    A number and this time together belong to one process for good.
    """
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def is_alive(pid: int, since: float) -> bool:
    """Whether the process with this number that began at ``since`` is alive, and no zombie."""
    try:
        process = psutil.Process(pid)
        return process.create_time() == since and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def cleaned(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without the variables of a job in Slurm or submitit; SLURM_CONF stays in it."""
    return {
        name: value
        for name, value in environment.items()
        if name == "SLURM_CONF" or not name.startswith(_FOREIGN)
    }


def prepare() -> None:
    """Have this process, between fork and exec, end with its parent and ignore submitit's signal.

    Slurm sends that signal, ahead of a time limit, to every process of a step.
    """
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL)


def start(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen:
    """Start a command in its own session; on Linux it is killed when this process ends."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=prepare,
    )


def end_session(session: int, mark: tuple[str, str]) -> int:
    """Kill what is left of a session, its leader first; returns how many processes that were.

    mark: a variable and its value. A process without it in its environment is left alone, since
        numbers of sessions are used again.
    """
    killed = 0
    while members := _members(session, mark):
        for process in members:
            killed += 1
            process.kill()
        psutil.wait_procs(members)
    return killed


def _members(session: int, mark: tuple[str, str]) -> list[psutil.Process]:
    members = []
    for process in psutil.process_iter():
        try:
            if (
                os.getsid(process.pid) == session
                and process.status() != psutil.STATUS_ZOMBIE
                and process.environ().get(mark[0]) == mark[1]
            ):
                members.append(process)
        except (psutil.Error, OSError):  # it has ended, or is another user's
            continue
    return sorted(members, key=lambda process: process.pid != session)
