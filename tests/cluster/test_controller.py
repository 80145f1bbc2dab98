"""The controller's end: it leaves no lock of the Snakemake that it kills, however young the lock."""

import sys
import time
from pathlib import Path

import pytest

from interference.cluster import processes
from interference.cluster.claims import Claim, Claims
from interference.cluster.controller import MARK, Controller, Run
from interference.cluster.locks import locks_on

RESULTS = "results/small"
#: Takes Snakemake's place: locks the results and waits to be killed.
LOCKING = """
import pathlib, time
locks = pathlib.Path(".snakemake/locks")
locks.mkdir(parents=True)
(locks / "0.output.lock").write_text("results/small/first/0.txt\\n")
(locks / "1.output.lock").write_text("results/other/first/0.txt\\n")
time.sleep(600)
"""


@pytest.fixture
def controller(tmp_path) -> Controller:
    """One that has just started its Snakemake and has not yet looked at its locks."""
    run = Run("launch", "local", (), "local", tmp_path, RESULTS, None)
    made = Controller(run)
    claim = Claim(launch="launch", state="running", cluster="local")
    assert Claims(tmp_path / RESULTS).take(1, claim)
    made._number, made._claim = 1, claim
    environment = {"PATH": "/usr/bin:/bin", MARK: run.prefix}
    made._child = processes.start([sys.executable, "-c", LOCKING], tmp_path, environment)
    return made


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not appear"
        time.sleep(0.01)


def test_locks_are_left_to_a_start_that_has_taken_over_and_runs_a_snakemake(controller, tmp_path):
    wait_for(tmp_path / ".snakemake" / "locks" / "1.output.lock")
    theirs = Claim(launch="launch", state="running", cluster="local", session=1)
    assert Claims(tmp_path / RESULTS).take(2, theirs)
    with pytest.raises(SystemExit):
        controller._look()
    assert controller._child.poll() is not None
    assert locks_on(RESULTS, tmp_path)


def test_a_lock_that_was_taken_since_the_last_look_goes_with_its_snakemake(controller, tmp_path):
    wait_for(tmp_path / ".snakemake" / "locks" / "1.output.lock")
    assert locks_on(RESULTS, tmp_path)
    assert controller._claim.locks == {}
    controller.checkpoint()
    assert controller._child.poll() is not None
    assert locks_on(RESULTS, tmp_path) == {}
    assert locks_on("results/other", tmp_path), "another run's lock stays"
    assert Claims(tmp_path / RESULTS).all()[-1].state == "requeued"
