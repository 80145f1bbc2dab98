"""Waiting for jobs that an earlier start left: which they are, and when none can come any more."""

from base64 import urlsafe_b64encode

import pytest

from interference.cluster import orphans
from interference.cluster.claims import Claim
from interference.cluster.slurm import SlurmError, SlurmJob

JOB = SlurmJob("17", "RUNNING", "1:35", "None", "node2", "small-1234abcd_0b1c", "/x")
STUCK = SlurmJob("18", "PENDING", "30:00", "JobHeldUser", "", "small-1234abcd_0b1c", "/x")


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Time that passes only in sleep; its length is what was slept in all."""
    slept = []
    monkeypatch.setattr(orphans.time, "sleep", slept.append)
    monkeypatch.setattr(orphans.time, "monotonic", lambda: 1000 + sum(slept))
    return slept


def waited(*looks):
    """How many looks were taken at a queue that says this, and its last for ever."""
    answers, taken = list(looks), []

    def look():
        taken.append(answers.pop(0) if len(answers) > 1 else answers[0])
        if isinstance(taken[-1], Exception):
            raise taken[-1]
        return taken[-1]

    return look, taken


def test_where_nothing_was_started_before_one_look_is_enough(clock):
    look, taken = waited([])
    orphans.wait(look, settle=0.0)
    assert (len(taken), sum(clock)) == (1, 0)


def test_an_empty_queue_is_watched_while_a_submission_may_be_under_way(clock):
    look, taken = waited([])
    orphans.wait(look)
    assert orphans.SETTLE <= sum(clock) < orphans.SETTLE + orphans.POLL[0] + 1
    assert len(taken) > 2


def test_a_job_that_appears_late_is_waited_for(clock):
    look, taken = waited([], [], [JOB], [JOB], [], [JOB], [])
    orphans.wait(look)
    assert taken[:6] == [[], [], [JOB], [JOB], [], [JOB]]
    assert len(taken) > 8


def test_a_queue_that_cannot_be_seen_is_not_empty(clock, capsys):
    look, _taken = waited(
        SlurmError("squeue failed: down"), [], SlurmError("squeue failed: down"), []
    )
    orphans.wait(look)
    assert sum(clock[3:]) >= orphans.SETTLE
    assert (
        "cannot see whether jobs of an earlier start are left: squeue failed"
        in capsys.readouterr().err
    )


def test_the_log_says_once_which_jobs_are_waited_for_and_how_not_to(clock, capsys):
    look, _ = waited([JOB, STUCK], [JOB, STUCK], [STUCK], [])
    orphans.wait(look)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3
    assert "waiting for 2 jobs" in said[0]
    assert (
        "17 (RUNNING, 1:35 left), 18 (PENDING, JobHeldUser); not to wait: scancel 17 18" in said[0]
    )
    assert "scancel 18" in said[1]
    assert said[2] == "no job of an earlier start is left"


def test_a_machine_that_was_cut_off_gets_time_to_see_that_it_is_not_the_controller():
    def claims(*states, host="node1"):
        return [Claim("a", state, "slurm", host=host, process=1, born=0.0) for state in states]

    assert orphans.settle_after([], "node1") == 0
    assert orphans.settle_after(claims("queued"), "node2") == 0
    assert orphans.settle_after(claims("queued", "requeued"), "node2") == orphans.SETTLE
    assert orphans.settle_after(claims("queued", "running"), "node1") == orphans.SETTLE
    assert orphans.settle_after(claims("queued", "running", "queued"), "node2") == orphans.LOST
    assert orphans.settle_after(claims("running", "ended", "queued"), "node2") == orphans.SETTLE


def test_what_is_being_written_is_known_by_what_snakemake_noted(tmp_path):
    def note(output):
        name = urlsafe_b64encode(output.encode()).decode()
        parts = [name[i : i + 254] for i in range(0, len(name), 254)]
        path = tmp_path.joinpath(".snakemake/incomplete", *(f"@{p}" for p in parts[:-1]), parts[-1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    note("results/a/first.txt")
    note(f"results/b/{'x' * 300}.txt")
    (tmp_path / ".snakemake/incomplete/migration_underway").touch()
    assert orphans.being_written("results/a", tmp_path)
    assert orphans.being_written("results/b", tmp_path)
    assert not orphans.being_written("results", tmp_path / "nowhere")
    assert not orphans.being_written("results/ab", tmp_path)


def test_jobs_started_by_hand_count_only_while_this_experiment_is_being_written(
    tmp_path, monkeypatch
):
    uuid = "0b1c2d3e-1111-4222-8333-444455556666"
    ours, hand, elsewhere, launched = (
        SlurmJob(number, "RUNNING", "1:35", "None", "node1", name, str(folder))
        for number, name, folder in (
            ("1", f"small-1234abcd_{uuid}", tmp_path),
            ("2", f"interference_{uuid}", tmp_path),
            ("3", f"interference_{uuid}", tmp_path / "other"),
            ("4", f"other-1234abcd_{uuid}", tmp_path),
        )
    )
    monkeypatch.setattr(orphans, "queue", lambda: [ours, hand, elsewhere, launched])
    assert orphans.left("small-1234abcd", "results/a", tmp_path) == [ours]
    monkeypatch.setattr(orphans, "being_written", lambda results, folder: True)
    assert orphans.left("small-1234abcd", "results/a", tmp_path) == [ours, hand]
