"""What `squeue` says, and which of its jobs are a run's."""

import re

import pytest

from interference.cluster import slurm

QUEUE = """\
17|RUNNING|1:35|None|node2|small-1234abcd_0b1c|/home/me/clone
18|PENDING|30:00|Resources||small-1234abcd_0b1c|/home/me/clone
19|RUNNING|23:59:10|None|node1|small-1234abcd-controller|/home/me/clone
20|RUNNING|5:00|None|node1|smaller-1234abcd_0b1c|/home/me/clone
21_[1-4]|PENDING|UNLIMITED|Dependency||my name|/a|b
"""


def test_each_line_is_a_job_and_a_folder_may_be_called_anything():
    jobs = slurm.parse_queue(QUEUE)
    assert [job.id for job in jobs] == ["17", "18", "19", "20", "21_[1-4]"]
    assert jobs[0] == slurm.SlurmJob(
        "17", "RUNNING", "1:35", "None", "node2", "small-1234abcd_0b1c", "/home/me/clone"
    )
    assert (jobs[-1].name, jobs[-1].folder) == ("my name", "/a|b")
    assert slurm.parse_queue("") == []


def test_jobs_and_controller_of_a_run_are_told_from_others_by_the_prefix():
    jobs = slurm.parse_queue(QUEUE)
    assert [job.id for job in slurm.of_run(jobs, "small-1234abcd")] == ["17", "18"]
    assert [job.id for job in slurm.controllers(jobs, "small-1234abcd")] == ["19"]


def test_a_log_says_how_long_a_job_may_run_or_why_it_waits():
    running, waiting, *_ = slurm.parse_queue(QUEUE)
    assert (str(running), str(waiting)) == ("17 (RUNNING, 1:35 left)", "18 (PENDING, Resources)")


@pytest.mark.parametrize("name", ["tiny", "fashion-mnist", "a.b", "x" * 60])
def test_the_executor_takes_a_prefix_of_any_experiment(tmp_path, name):
    assert re.fullmatch(r"[A-Za-z0-9-]{1,50}", slurm.job_prefix(tmp_path / "results" / name))


def test_experiments_and_clones_differ_in_their_prefix_and_paths_to_one_folder_do_not(tmp_path):
    folders = [
        tmp_path / place
        for place in ("a/results/x", "b/results/x", "a/results/x.y", "a/results/x-y")
    ]
    assert len({slurm.job_prefix(folder) for folder in folders}) == 4
    folders[0].mkdir(parents=True)
    (tmp_path / "link").symlink_to(folders[0])
    assert slurm.job_prefix(tmp_path / "link") != slurm.job_prefix(tmp_path / "a/results/y")
    assert slurm.job_prefix(tmp_path / "link") == slurm.job_prefix(folders[0])


def test_where_slurm_is_not_an_error_says_where_to_launch_from(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(slurm.SlurmError, match="--cluster local"):
        slurm.check_here()
    with pytest.raises(slurm.SlurmError, match="squeue is not here"):
        slurm.queue()


def test_a_slurm_that_answers_with_an_error_is_no_empty_queue(tmp_path, monkeypatch):
    squeue = tmp_path / "squeue"
    squeue.write_text("#!/bin/sh\necho 'Unable to contact slurm controller' >&2\nexit 1\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(slurm.SlurmError, match="Unable to contact"):
        slurm.queue()
