"""A launched run on a real Slurm: whatever ends its controller, it resumes, and no output has two writers.

Jobs hold until a test lets them go, so each fault strikes while they run; `Launch.finish` checks the
journal that they keep.
"""

import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.support.slurm.cluster import Cluster
from tests.support.slurm.launches import Launch
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slurm

NODES = {"node1", "node2", "node3"}


@pytest.fixture
def run(cluster, tmp_path) -> Launch:
    return Launch.prepare(tmp_path, cluster)


def controller_of(run: Launch) -> int:
    """The Slurm job of the last controller."""
    return int(run.claims[-1]["job"])


def is_alive(run: Launch) -> bool:
    """Whether Slurm has the run's last controller."""
    return any(job.id == controller_of(run) for job in run.cluster.jobs())


def kill_controller(run: Launch) -> None:
    """Kill the controller's process, as a machine short of memory does, and see its job gone."""
    os.kill(run.claims[-1]["process"], signal.SIGKILL)
    wait_until(lambda: not is_alive(run), "the killed controller is gone")


def test_a_second_launch_is_refused_until_the_controller_is_killed_and_then_waits_and_resumes(run):
    run.start()
    jobs = run.until_running()
    refused = run.interference("launch", "--", *run.arguments)
    assert refused.returncode == 1
    assert refused.stdout.startswith(
        f"error: results/small has a controller already: Slurm job {controller_of(run)}, running"
    )
    assert "interference stop results/small" in refused.stdout
    assert len(run.locks) == 2
    snakemake = run.claims[-1]["session"]
    kill_controller(run)
    assert not os.path.exists(f"/proc/{snakemake}/exe"), "Snakemake ends with its controller"
    assert len(run.locks) == 2, "nobody unlocked"
    assert "its controller is gone" in run.status()
    run.start()
    run.until_said(r"waiting for 2 jobs of an earlier start")
    assert {job.id for job in run.cluster.jobs()} == {
        *(job.slurm for job in jobs),
        controller_of(run),
    }
    run.finish()
    assert len(run.starts("first")) == 2, "no job of the first rule was submitted again"


def test_a_controller_out_of_time_is_requeued_and_resumes(run):
    run.start("--minutes=2")  # a minute at a time
    # At whichever start, and whether or not its lock is still there when we look.
    run.until_jobs_run()
    first = len(re.findall(r"start \d+ of this controller", run.log))
    for more in (1, 2):
        run.until_said(rf"start {first + more} of this controller")
        run.until_said(r"waiting for 2 jobs of an earlier start", times=more)
    # Proven; what is left may take a busy machine more than a minute.
    run.cluster.scontrol("update", f"jobid={controller_of(run)}", "timelimit=60")
    run.finish()
    assert len(run.starts("first")) == 2


def test_of_two_launches_at_one_instant_one_is_refused(run):
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: run.interference("launch", "--", *run.arguments), range(2)))
    assert sorted(done.returncode for done in both) == [0, 1], both
    (refused,) = (done.stdout for done in both if done.returncode)
    assert "has a controller already" in refused or "another launch came first" in refused
    assert sum(job.name.endswith("-controller") for job in run.cluster.jobs()) == 1
    run.finish()


def test_a_cancelled_controller_can_be_launched_again(run):
    run.start()
    run.until_running()
    run.cluster.scancel(str(controller_of(run)))
    wait_until(lambda: not is_alive(run), "the cancelled controller is gone")
    run.start()
    run.until_said(r"waiting for 2 jobs of an earlier start")
    run.finish()


def test_stop_leaves_jobs_and_a_folder_that_a_launch_resumes(run):
    run.start()
    jobs = run.until_running()
    said = run.stop()
    assert not is_alive(run)
    assert run.locks == []
    assert all(f"{job.slurm} (RUNNING" in said for job in jobs)
    assert "stopped since" in run.status()
    run.start()
    run.finish()
    assert len(run.starts("first")) == 2


def test_stop_with_its_jobs_ends_them_too(run):
    run.start()
    run.until_running()
    run.stop("--jobs")
    assert run.cluster.jobs() == []
    assert run.locks == []
    assert not any(start.ended for start in run.starts("first"))
    run.start()
    run.finish()
    assert len(run.starts("first")) == 4, "both were cancelled and ran again"


def test_a_job_that_was_cancelled_while_nobody_watched_is_made_again(run):
    run.start()
    lost, _kept = run.until_running()
    kill_controller(run)
    run.cluster.scancel(str(lost.slurm))
    run.start()
    run.until_said(r"waiting for 1 jobs of an earlier start")
    run.finish()
    assert [len(run.starts(f"first/{task}.txt")) for task in (0, 1)].count(2) == 1


def test_a_controller_whose_node_crashes_starts_on_another_and_the_first_ends(run):
    drain(run.cluster, NODES - {"node1"})
    run.start()
    wait_until(lambda: state(run.cluster, controller_of(run)) == "RUNNING", "it runs on node1")
    drain(run.cluster, {"node1"})
    resume(run.cluster, NODES - {"node1"})
    jobs = run.until_running()
    assert "node1" not in {job.node for job in jobs}
    first = run.claims[-1]["process"]
    run.cluster.kill_node("node1")
    job = controller_of(run)
    wait_until(lambda: state(run.cluster, job) == "PENDING", "Slurm has noticed")
    assert os.path.exists(f"/proc/{first}/exe"), "out of Slurm's sight it lives"
    run.until_said(r"start 2 of this controller")
    wait_until(lambda: not os.path.exists(f"/proc/{first}/exe"), "the first controller has ended")
    run.finish()
    assert len(run.starts("first")) == 2


def test_stop_ends_a_controller_that_waits_for_its_next_start(run):
    run.start()
    run.until_running()
    drain(run.cluster, NODES)  # it finds no place to start again
    os.kill(run.claims[-1]["process"], signal.SIGUSR2)  # Slurm's, ahead of a time limit
    run.until(lambda: state(run.cluster, controller_of(run)) == "PENDING", "it waits in the queue")
    assert run.claims[-1]["state"] == "requeued"
    assert run.locks == []
    run.stop()
    assert not is_alive(run)
    assert len(run.cluster.jobs()) == 2, "its jobs go on"
    resume(run.cluster, NODES)
    run.start()
    run.finish()


def test_two_experiments_of_one_folder_are_two_runs(run):
    other = run.another("other")
    run.start()
    other.start()
    run.until_running()
    other.until_running()
    kill_controller(other)
    ours, theirs = ({lock.name for lock in run.locks}, other.claims[-1]["locks"])
    assert theirs.keys() < ours
    other.start()
    other.until_said(r"waiting for 2 jobs of an earlier start")
    assert run.claims[-1]["state"] == "running"
    run.finish()
    other.finish()


def test_jobs_of_a_snakemake_started_by_hand_are_waited_for_and_its_lock_is_left(run):
    by_hand = subprocess.Popen(
        ["snakemake", "--profile=profiles/slurm", *run.arguments],
        cwd=run.folder,
        env=run.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        run.until(lambda: len(run.starts("first")) == 2, "both jobs run")
        refused = run.interference("launch", "--", *run.arguments)
        assert refused.returncode == 1
        assert "results/small is locked by a Snakemake that no launch started" in refused.stdout
        assert "snakemake --unlock" in refused.stdout
    finally:
        by_hand.kill()
        by_hand.wait()
    assert run.interference("launch", "--", *run.arguments).returncode == 1, "dead, but not ours"
    subprocess.run(
        ["snakemake", "--unlock", "--quiet"], cwd=run.folder, env=run.environment, check=True
    )
    run.start()
    run.until_said(r"waiting for 2 jobs of an earlier start")
    run.finish()
    assert len(run.starts("first")) == 2


@pytest.mark.parametrize("edited", [False, True], ids=["same", "edited"])
def test_what_jobs_made_while_nobody_watched_is_known_by_what_made_it(run, edited):
    run.start()
    run.until_running()
    kill_controller(run)
    (run.folder / "go").touch()
    wait_until(lambda: all(start.ended for start in run.starts("first")), "the jobs end")
    if edited:
        run.edit("steps", 101)
    run.start()
    run.until(lambda: run.claims[-1]["state"] == "ended", "the run ends")
    assert run.claims[-1]["exit_code"] == 0, run.log
    assert len(run.starts("first")) == (4 if edited else 2)
    run.edit("steps", 102)
    planned = run.interference("launch", "--", "-n").stdout
    assert re.search(r"params have changed since last execution:\s+first\n", planned), planned


def test_a_failed_run_fails_its_controller_with_the_same_code(run):
    run = replace(run, arguments=(*run.arguments, "--retries=0"))
    (run.folder / "task.py").write_text("raise SystemExit(3)\n")
    run.start()
    run.until(lambda: run.claims[-1]["state"] == "ended", "the run ends")
    assert run.claims[-1]["exit_code"] == 1
    job = controller_of(run)
    wait_until(lambda: state(run.cluster, job) == "FAILED", "Slurm calls it failed")
    assert "exit code 1" in run.status()


def test_a_wrong_launch_is_refused_before_anything_is_submitted(run):
    for words, said in (
        (("launch", "--profile=nowhere"), "no profile 'nowhere': none of "),
        (("launch", "--", "no-such-target"), "snakemake would not run:"),
        (("launch", "--", "--config", "experiment=UP"), "the config has 2 errors"),
    ):
        done = run.interference(*words)
        assert (done.returncode, said in done.stdout) == (1, True), done.stdout
    planned = run.interference("launch", "--", "-n")
    assert planned.returncode == 0
    assert "This was a dry-run" in planned.stdout
    assert run.cluster.jobs() == []
    assert run.claims == []


def drain(cluster: Cluster, nodes: set[str]) -> None:
    """Let nodes take no further job."""
    for node in nodes:
        cluster.scontrol("update", f"nodename={node}", "state=drain", "reason=test")


def resume(cluster: Cluster, nodes: set[str]) -> None:
    for node in nodes:
        cluster.scontrol("update", f"nodename={node}", "state=resume")


def state(cluster: Cluster, job: int) -> str:
    shown = cluster.scontrol("show", "job", str(job))
    return re.search(r"JobState=(\w+)", shown)[1]
