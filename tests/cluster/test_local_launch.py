"""`interference launch --cluster local`: a run on this machine that no terminal holds."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from interference.cluster.claims import Claims
from tests.support.slurm.launches import Launch
from tests.support.waiting import wait_until

pytestmark = pytest.mark.workflow


@pytest.fixture
def run(tmp_path):
    made = Launch.prepare(tmp_path, None)
    made.environment["CUDA_VISIBLE_DEVICES"] = "3,5"
    yield made
    made.interference("stop", "results/small")


def snakemake(run: Launch) -> psutil.Process:
    return psutil.Process(run.claims[-1]["session"])


def alive(run: Launch) -> list[int]:
    """Processes that run in the run's folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()) == run.folder and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_it_outlives_its_terminal_and_sees_the_same_gpus(run):
    said = run.start("--cluster=local")
    assert "its controller is process" in said
    run.until_running()
    assert run.claims[-1]["state"] == "running", "the launch has returned and jobs hold"
    controller = run.claims[-1]["process"]
    assert os.getsid(controller) not in (os.getsid(0), controller)
    for process in (controller, run.claims[0]["process"]):
        os.kill(process, signal.SIGHUP)
    environment = snakemake(run).environ()
    assert environment["CUDA_VISIBLE_DEVICES"] == "3,5", "submitit hides all"
    assert not any(name.startswith("SUBMITIT_") for name in environment)
    assert "controlled by process" in run.status()
    refused = run.interference("launch", "--cluster=local")
    assert "has a controller already: process" in refused.stdout
    run.finish()
    assert "exit code 0" in run.status()
    assert "5 of 5 steps (100%) done" in run.interference("logs").stdout


def test_a_killed_controller_takes_snakemake_along_and_a_launch_ends_what_is_left(run):
    run.start("--cluster=local")
    run.until_running()
    child = snakemake(run)
    os.kill(run.claims[-1]["process"], signal.SIGKILL)
    wait_until(lambda: not child.is_running() or child.status() == "zombie", "Snakemake is gone")
    assert len(run.starts("first")) == 2
    assert alive(run), "jobs of this machine go on, for nobody"
    assert "its controller is gone" in run.status()
    run.start("--cluster=local")
    run.until(lambda: len(run.starts("first")) == 4, "both are made anew")
    run.finish()


def test_a_controller_ends_its_snakemake_where_another_start_took_over(run):
    run.start("--cluster=local")
    run.until_running()
    child, controller = snakemake(run), psutil.Process(run.claims[-1]["process"])
    claims = Claims(run.folder / run.results)
    last = claims.all()[-1]
    elsewhere = replace(last, host="another-machine", session=0, locks={})
    assert claims.take(len(claims.all()) + 1, elsewhere)
    wait_until(lambda: not controller.is_running(), "the controller has ended")
    assert not child.is_running()
    assert "another start of this controller has taken over" in run.log
    assert run.locks == []
    assert "cannot be seen from here" in run.status()


def test_stop_ends_everything_and_leaves_a_folder_that_snakemake_resumes(run):
    run.start("--cluster=local")
    run.until_running()
    run.stop()
    wait_until(lambda: alive(run) == [], "nothing runs there")
    assert run.locks == []
    assert "stopped since" in run.status()
    run.start("--cluster=local")
    run.finish()
