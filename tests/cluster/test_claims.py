"""Who holds a run: the decision for each kind of claim, and that a number is taken once."""

import os
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from interference.cluster import processes
from interference.cluster.claims import Claim, Claims, standing

SLURM = Claim("a", "running", "slurm", job="17", host="node1", process=1, born=0.0)
HERE = Claim("a", "running", "local", job="1")
ELSEWHERE = replace(HERE, host="another-machine")
DEAD = replace(HERE, born=0.0)
LAUNCHING = replace(HERE, cluster="slurm", job="", state="launching")


@pytest.mark.parametrize(
    ("claim", "controllers", "expected"),
    [
        (None, None, "free"),
        (replace(SLURM, state="ended"), 1, "free"),
        (replace(SLURM, state="stopped"), None, "free"),
        (replace(SLURM, state="queued"), 1, "held"),
        (replace(SLURM, state="requeued"), 1, "held"),
        (SLURM, 1, "held"),
        (SLURM, 0, "lost"),
        (SLURM, None, "unknown"),
        (LAUNCHING, 0, "held"),
        (LAUNCHING, None, "held"),
        (replace(LAUNCHING, born=0.0), 0, "lost"),
        (replace(LAUNCHING, born=0.0), 1, "held"),
        (replace(LAUNCHING, host="another-machine"), 0, "unknown"),
        (replace(HERE, cluster="slurm", job="17", state="stopping"), 0, "held"),
        (replace(DEAD, cluster="slurm", job="17", state="stopping"), 0, "lost"),
        (HERE, None, "held"),
        (DEAD, None, "lost"),
        (ELSEWHERE, None, "unknown"),
    ],
)
def test_a_claim_says_whether_a_run_is_held(claim, controllers, expected):
    assert standing(claim, controllers) == expected


def test_a_process_that_got_a_dead_ones_number_holds_nothing():
    born = processes.born(os.getpid())
    assert processes.is_alive(os.getpid(), born)
    assert not processes.is_alive(os.getpid(), born - 1)


def test_a_zombie_is_dead():
    child = subprocess.Popen(["sleep", "1000"])
    born = processes.born(child.pid)
    assert processes.is_alive(child.pid, born)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not processes.is_alive(child.pid, born)
    child.wait()


def test_of_many_that_take_a_number_at_once_one_gets_it(tmp_path):
    claims = Claims(tmp_path)
    for number in (1, 2):
        with ThreadPoolExecutor(8) as pool:
            own = [replace(SLURM, launch=str(i)) for i in range(8)]
            won = list(pool.map(lambda claim, n=number: claims.take(n, claim), own))
        assert sum(won) == 1
        assert claims.all()[number - 1] == own[won.index(True)]
    assert len(list(claims.folder.iterdir())) == 2, "nothing else is left"


def test_a_change_is_seen_whole_and_tells_its_time(tmp_path):
    claims = Claims(tmp_path)
    own = Claim("a", "launching", "slurm")
    assert claims.take(1, own)
    changed = claims.update(1, replace(own, state="queued", job="17"))
    assert claims.all() == [changed]
    assert (changed.state, changed.job, changed.host) == ("queued", "17", socket.gethostname())
    assert changed.told > own.told
