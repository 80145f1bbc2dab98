"""A node that crashes takes only its daemon with it: the job goes on there, and runs a second time.

The one fault in which two processes write one output, so it strikes a verb of the package, whose own
atomicity must hold: a store, a table and a manifest, of which exactly one complete set may remain.
"""

import os
import signal
from pathlib import Path

import pytest

from tests.support.checkout import TINY, Checkout, contents
from tests.support.slurm.cluster import Cluster
from tests.support.slurm.controller import snakemake
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slurm

TARGET = "results/tiny/data/images.json"


def verbs(cluster: Cluster) -> dict[int, int]:
    """Processes of the cluster that run a verb of the package, and their Slurm jobs."""
    found = {}
    for process in cluster.processes():
        try:
            command = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            environment = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
        except OSError:  # it has ended
            continue
        if len(command) > 1 and command[1].endswith(b"/interference"):
            variables = dict(part.partition(b"=")[::2] for part in environment)
            found[process] = int(variables[b"SLURM_JOB_ID"])
    return found


def state(process: int) -> str:
    """R, S, T (stopped)…"""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_job_of_a_crashed_node_runs_twice_and_leaves_one_complete_output(
    cluster, on_cores, tmp_path
):
    on_slurm = Checkout.copy(tmp_path)
    arguments = (TARGET, "--configfile", TINY)
    environment = on_slurm.environment
    with snakemake(cluster, on_slurm.folder, *arguments, environment=environment) as run:
        ((orphan, slurm),) = run.wait_until(lambda: verbs(cluster), "the verb runs").items()
        # stopped until the second has begun, so that they write together for certain
        os.kill(orphan, signal.SIGSTOP)
        wait_until(lambda: state(orphan) == "T", "it is stopped")
        node = next(job.nodes for job in cluster.jobs() if job.id == slurm)
        cluster.kill_node(node)
        second = run.wait_until(lambda: verbs(cluster).keys() - {orphan}, "the job runs again")
        assert set(verbs(cluster).values()) == {slurm}
        assert state(orphan) == "T"
        os.kill(orphan, signal.SIGCONT)
        assert len(second) == 1
        said = run.finish()
        wait_until(lambda: not verbs(cluster), "both have ended")
    assert "Trying to restart" not in said
    assert len(on_slurm.recorded()) == 2, "both ran to their ends"
    undisturbed = contents(on_cores.results)
    room = {name: sha for name, sha in undisturbed.items() if name.startswith("data/")}
    assert contents(on_slurm.results) == room
    assert leftovers(on_slurm.results) == []
    assert on_slurm.plan(TARGET).jobs == set()


def leftovers(results: Path) -> list[Path]:
    """Hidden files: what a job began to write under a temporary name."""
    return [path for path in results.rglob(".*") if path.name != ".snakemake_timestamp"]
