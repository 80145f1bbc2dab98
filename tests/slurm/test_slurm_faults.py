"""What clusters do to jobs: after each, every target is complete, by one writer, once.

Jobs hold until a test lets them go, so each fault strikes while the jobs that it is about run.
`Journal.finish` checks what must hold after every one of them.
"""

import pytest

from tests.support.slurm.journals import journal

pytestmark = pytest.mark.slurm


def test_a_cancelled_job_is_submitted_again(cluster, tmp_path):
    with journal(cluster, tmp_path, tasks=2) as jobs:
        struck, *others = jobs.all_started()
        cluster.scancel(str(struck.slurm))
        again = jobs.start_of(struck.output, 2)
        assert (again.attempt, again.slurm > struck.slurm) == (2, True)
        jobs.finish()
        assert all(len(jobs.starts(other.output)) == 1 for other in others)


def test_a_job_that_runs_out_of_time_gets_twice_as_much(cluster, tmp_path):
    with journal(cluster, tmp_path, tasks=1, minutes=1) as jobs:
        struck = jobs.start_of("first/0.txt")
        again = jobs.start_of("first/0.txt", 2)
        assert limits(cluster, struck.slurm, "TimeLimit") == "00:01:00"
        assert limits(cluster, again.slurm, "TimeLimit") == "00:02:00"
        assert state(cluster, struck.slurm) == "TIMEOUT"
        assert again.attempt == 2
        jobs.finish()


def test_a_job_that_runs_out_of_memory_gets_twice_as_much(cluster, tmp_path):
    with journal(cluster, tmp_path, tasks=1, megabytes=550) as jobs:
        struck = jobs.start_of("first/0.txt")
        again = jobs.start_of("first/0.txt", 2)
        assert "mem=500M" in limits(cluster, struck.slurm, "TRES")
        assert "mem=1000M" in limits(cluster, again.slurm, "TRES")
        assert again.attempt == 2
        jobs.finish()


def test_a_requeued_job_runs_again_and_uses_up_no_retry(cluster, tmp_path):
    with journal(cluster, tmp_path) as jobs:
        struck, *_ = jobs.all_started()
        cluster.scontrol("requeue", str(struck.slurm))
        again = jobs.start_of(struck.output, 2)
        assert (again.attempt, again.slurm) == (1, struck.slurm)
        jobs.finish()


def test_a_drained_node_ends_its_jobs_and_gets_no_others(cluster, tmp_path):
    with journal(cluster, tmp_path) as jobs:
        first, *_ = jobs.all_started()
        cluster.scontrol("update", f"nodename={first.node}", "state=drain", "reason=test")
        jobs.finish()
        later = [start for start in jobs.starts() if start.output.startswith("second")]
        assert len(later) == 3
        assert first.node not in {start.node for start in later}
        assert len(jobs.starts(first.output)) == 1


def test_a_preempted_job_waits_and_runs_again(cluster, tmp_path):
    scavenge = ("--default-resources", "slurm_partition=scavenge")
    with journal(cluster, tmp_path, *scavenge, tasks=1) as jobs:
        struck, *_ = jobs.all_started()
        cluster.run(
            *("sbatch", "--partition=urgent", "--nodes=3", "--exclusive", "--output=/dev/null"),
            *("--wrap", f"until [ -e {tmp_path}/urgent ]; do sleep 0.1; done"),
        )
        jobs.controller.wait_until(
            lambda: state(cluster, struck.slurm) == "PENDING", "the job lost its node"
        )
        (tmp_path / "urgent").touch()
        again = jobs.start_of(struck.output, 2)
        assert (again.attempt, again.slurm) == (1, struck.slurm)
        jobs.finish()


def test_jobs_and_run_outlive_a_restart_of_the_controller_of_slurm(cluster, tmp_path):
    with journal(cluster, tmp_path) as jobs:
        before = jobs.all_started()
        cluster.restart_controller()
        jobs.finish()
        assert all(len(jobs.starts(start.output)) == 1 for start in before)
        assert "Trying to restart" not in jobs.controller.said()


def limits(cluster, slurm: int, name: str) -> str:
    """A field of `scontrol show job`."""
    shown = cluster.scontrol("show", "job", str(slurm)).split()
    return next(field.partition("=")[2] for field in shown if field.startswith(f"{name}="))


def state(cluster, slurm: int) -> str:
    return limits(cluster, slurm, "JobState")
