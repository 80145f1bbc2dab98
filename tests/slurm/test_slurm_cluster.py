"""The test cluster itself: it behaves as a Slurm does, several stand side by side, none leaves a trace."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import REPO
from tests.support.slurm.cluster import Cluster, missing, running
from tests.support.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.slurm


def sleeping(cluster: Cluster) -> list[int]:
    """Processes of the cluster that are a job's `sleep`."""
    commands = {p: Path(f"/proc/{p}/cmdline").read_bytes() for p in cluster.processes()}
    return [p for p, command in commands.items() if command.split(b"\0")[0].endswith(b"sleep")]


def test_jobs_get_the_node_gpus_and_names_that_they_asked_for(cluster):
    script = "echo $SLURMD_NODENAME $CUDA_VISIBLE_DEVICES $(getent hosts node3 | wc -l)"
    said = cluster.run("srun", "--nodes=3", "--ntasks=3", "--gres=gpu:2", "sh", "-c", script)
    assert sorted(said.splitlines()) == ["node1 0,1 1", "node2 0,1 1", "node3 0,1 1"]


def test_a_job_finds_the_cluster_without_its_environment(cluster):
    said = cluster.run("srun", "env", "-u", "SLURM_CONF", "sinfo", "-h", "-o", "%P")
    assert sorted(said.split()) == ["cpu*", "gpu", "scavenge", "urgent"]


def test_two_clusters_know_nothing_of_each_other(cluster):
    with running() as other:
        other.run("sbatch", "--output=/dev/null", "--wrap=sleep 1000")
        assert len(other.jobs()) == 1
        assert cluster.jobs() == []
        assert not set(cluster.processes()) & set(other.processes())
        alive = list(cluster.processes())
    assert list(cluster.processes()) == alive


def test_nothing_is_left_after_a_test_that_failed_and_lost_a_node(slurm_is_here):
    def fail() -> None:
        with running() as cluster:
            folders.append(cluster.folder)
            cluster.run("sbatch", "--output=/dev/null", "-N3", "--wrap=srun sleep 1000")
            wait_until(lambda: len(sleeping(cluster)) == 3, "a step on each node")
            cluster.kill_node("node1")
            assert len(sleeping(cluster)) == 3
            processes.extend(cluster.processes())
            raise KeyboardInterrupt

    folders, processes = [], []
    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not any(Path(f"/proc/{process}/exe").exists() for process in processes)
    assert not folders[0].exists()


def test_a_developer_gets_a_cluster_by_one_command_and_ends_it_by_another(slurm_is_here):
    folder = f"/tmp/slurm-by-hand-{os.getpid()}"
    command = [sys.executable, "-m", "tests.support.slurm.cluster"]
    subprocess.run([*command, "up", folder], check=True, cwd=REPO)
    try:
        asked = [f". {folder}/env; sinfo -h -p gpu -o '%D %t'"]
        said = subprocess.run(["sh", "-c", *asked], capture_output=True, text=True, check=True)
        assert said.stdout.split() == ["3", "idle"]
    finally:
        subprocess.run([*command, "down", folder], check=True, cwd=REPO)
    assert not Path(folder).exists()


def test_clusters_that_start_at_once_have_ports_of_their_own(slurm_is_here, monkeypatch):
    """Both would draw the same ports first; the one that comes second finds them taken."""
    draws = threading.local()

    def draw(start, stop):
        draws.made = getattr(draws, "made", 0) + 1
        return start + 10 * draws.made

    def nodes(_: int) -> int:
        with running() as cluster:
            there.wait(timeout=PATIENCE)  # until both stand
            return len(cluster.run("sinfo", "-h", "-N", "-p", "cpu", "-t", "idle").splitlines())

    monkeypatch.setattr("tests.support.slurm.configuration.random.randrange", draw)
    there = threading.Barrier(2)
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(nodes, range(2))) == [3, 3]


def test_what_a_machine_lacks_is_said_in_words(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("tests.support.slurm.cluster.SYSTEM", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "slurmctld (Debian's slurm-wlm)" in missing()
    assert "root, for mounts of its own" in missing()
