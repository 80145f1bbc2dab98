"""Snakemake on a test cluster: the real profile, asked more often than a real cluster should be."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.slurm.cluster import Cluster
from tests.support.waiting import wait_until

BIN = Path(sys.executable).parent
#: What a test changes in profiles/slurm: seconds to wait, and jobs side by side on a small machine.
QUICK = (
    "--slurm-init-seconds-before-status-checks=2",
    "--latency-wait=5",
    "--jobs=6",
)
#: What a verb says of the place that it was given, in its log.
PLACE = re.compile(r"on (\w+), Slurm job (\d+), CPUs (\d+), GPUs (\S+)$", re.MULTILINE)
#: Seconds after which a run that has not ended never will.
RUN_PATIENCE = 3600.0


@dataclass(frozen=True)
class Controller:
    """A running Snakemake and what it printed so far."""

    process: subprocess.Popen
    log: Path

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def finish(self) -> str:
        """Wait for its end, which must be a success; all that it printed."""
        try:
            status = self.process.wait(RUN_PATIENCE)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"the run does not end:\n{self.said()[-3000:]}") from None
        assert status == 0, self.said()[-6000:]
        return self.said()

    def wait_until(self, condition, what: str) -> object:
        """As `waiting.wait_until`; fails at once where the run has ended."""

        def asked() -> object:
            value = condition()
            assert value or self.process.poll() is None, f"ended before {what}:\n{self.said()}"
            return value

        try:
            return wait_until(asked, what)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.said()[-3000:]}") from None


@contextmanager
def snakemake(
    cluster: Cluster,
    folder: Path,
    *arguments: str,
    profile: str = "profiles/slurm",
    environment: dict[str, str] | None = None,
) -> Iterator[Controller]:
    """Snakemake in a folder that holds ``profiles``; killed at the end where it has not ended.

    environment: variables beside those that talk to the cluster.
    """
    talks = {
        "PATH": f"{BIN}{os.pathsep}{cluster.environment['PATH']}",
        "SLURM_CONF": cluster.environment["SLURM_CONF"],
    }
    log = folder / "controller.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [BIN / "snakemake", f"--profile={profile}", *QUICK, *arguments],
            cwd=folder,
            env={**cluster.environment, **(environment or {}), **talks},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Controller(process, log)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
