"""A child in a session of its own, which never outlives its parent, and the end of a session."""

import os
import signal
import subprocess
import sys

import pytest

from interference.cluster import processes
from tests.support.waiting import wait_until

MARK = ("INTERFERENCE_RUN", "small-1234abcd")
#: Starts a child as a controller does, says its number, and is killed.
PARENT = """
import os, signal
from pathlib import Path
from interference.cluster import processes
child = processes.start(["sleep", "1000"], Path.cwd(), dict(os.environ))
print(child.pid, processes.born(child.pid), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def gone(pid, born):
    wait_until(lambda: not processes.is_alive(pid, born), f"process {pid} is gone")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_child_ends_with_its_parent():
    done = subprocess.run([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert done.returncode == -signal.SIGKILL
    pid, born = done.stdout.split()
    gone(int(pid), float(born))


def test_a_child_lives_in_its_own_session_and_ignores_the_signal_before_a_time_limit(tmp_path):
    script = "kill -USR2 $$; cat /proc/$$/stat | cut -d' ' -f6 > session"
    child = processes.start(["sh", "-c", script], tmp_path, dict(os.environ))
    assert child.wait() == 0
    assert int((tmp_path / "session").read_text()) == child.pid


def test_the_end_of_a_session_takes_all_its_processes_and_no_others(tmp_path):
    environment = {**os.environ, MARK[0]: MARK[1]}
    script = "sleep 1000 & echo $! > nested; setsid sleep 1000 & echo $! > job; wait"
    child = processes.start(["sh", "-c", script], tmp_path, environment)
    wait_until(lambda: (tmp_path / "job").exists() and (tmp_path / "job").read_text(), "all run")
    nested, job = (int((tmp_path / name).read_text()) for name in ("nested", "job"))
    births = {pid: processes.born(pid) for pid in (nested, job)}
    wait_until(lambda: os.getsid(job) == job, "the job has a session of its own")
    try:
        assert processes.end_session(child.pid, (MARK[0], "another-run")) == 0
        assert processes.end_session(child.pid, MARK) == 2
        assert not processes.is_alive(nested, births[nested])
        assert processes.is_alive(job, births[job]), "a job on this machine is in another session"
    finally:
        os.kill(job, signal.SIGKILL)
