"""A real Slurm on one machine: munge, one controller, several nodes with fake GPUs.

From a shell:  python -m tests.support.slurm.cluster up FOLDER   then   . FOLDER/env
and at the end:  python -m tests.support.slurm.cluster down FOLDER

Everything runs as root from Debian's packages `slurm-wlm` and `munge`, without systemd, cgroups or
accounting. Every process of a cluster lives in a mount namespace in which ``/etc/slurm`` is the
cluster's folder, for two reasons: Slurm finds its configuration where a job has no ``SLURM_CONF``
(the executor plugin strips it), and whatever a cluster started is known by it, orphans too.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.slurm import configuration
from tests.support.waiting import PATIENCE, locked, wait_until

#: What a cluster is made of, and the Debian package that brings it.
COMMANDS = {
    "slurmctld": "slurm-wlm",
    "slurmd": "slurm-wlm",
    "squeue": "slurm-wlm",
    "munged": "munge",
    "unshare": "util-linux",
    "mount": "mount",
}
#: Where daemons are; a shell's PATH may lack it.
SYSTEM = "/usr/sbin"
#: Held by whoever starts a cluster on this machine.
STARTS = Path(tempfile.gettempdir(), "slurm-cluster-starts.lock")


def search_path() -> str:
    return f"{os.environ.get('PATH', '')}{os.pathsep}{SYSTEM}"


def missing() -> list[str]:
    """What this machine lacks for a cluster, in words; nothing where one can be started."""
    lacking = [
        f"{command} (Debian's {package})"
        for command, package in COMMANDS.items()
        if shutil.which(command, path=search_path()) is None
    ]
    if os.geteuid() != 0:
        lacking.append("root, for mounts of its own")
    elif not lacking and subprocess.run(["unshare", "--mount", "true"]).returncode:
        lacking.append("the right to a mount namespace (a container needs CAP_SYS_ADMIN)")
    return lacking


@dataclass(frozen=True)
class Job:
    """A job as `squeue` tells it; nodes: those it has, empty while it waits."""

    id: int
    name: str
    state: str
    partition: str
    nodes: str
    reason: str
    comment: str


@dataclass(frozen=True)
class Cluster:
    """A cluster in a folder of its own; cpus, memory (MB) and gpus are what each node claims.

    Nodes claim what they like: no job is held to its CPUs, and a fake GPU is another /dev/null. Jobs
    are held to their memory and time. Partitions: `cpu` and `gpu`, all nodes each; `urgent`, which
    takes nodes from `scavenge`, whose jobs are then requeued.
    """

    folder: Path
    nodes: int = 3
    cpus: int = 16
    memory: int = 64_000
    gpus: int = 2

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a process that talks to this cluster."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_"))}
        return {**kept, "PATH": search_path(), "SLURM_CONF": str(self.folder / "slurm.conf")}

    # What a person does with a cluster

    def run(self, *command: str | Path) -> str:
        """The standard output of a command that talks to the cluster; it must succeed."""
        done = subprocess.run(command, env=self.environment, text=True, capture_output=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
        return done.stdout

    def scontrol(self, *arguments: str) -> str:
        return self.run("scontrol", *arguments)

    def scancel(self, *arguments: str) -> None:
        self.run("scancel", *arguments)

    def jobs(self) -> list[Job]:
        """Waiting and running jobs, the oldest first."""
        lines = self.run("squeue", "--noheader", "--sort=i", "--format=%i|%j|%T|%P|%N|%r|%k")
        fields = (line.split("|", 6) for line in lines.splitlines())
        return [Job(int(number), *rest) for number, *rest in fields]

    def ended(self) -> list[dict[str, str]]:
        """What Slurm logged of each end of a job, a requeued one's too: JobId, JobState, NodeList…"""
        log = self.folder / "jobs.log"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return [dict(field.partition("=")[::2] for field in line.split()) for line in lines]

    # What befalls a cluster

    def kill_node(self, node: str) -> None:
        """Kill a node's daemon as a crash would; its jobs' own processes live on."""
        os.kill(self._pid(node), signal.SIGKILL)

    def start_node(self, node: str) -> None:
        self._daemon("slurmd", "-f", str(self.folder / "slurm.conf"), "-N", node)

    def restart_controller(self) -> None:
        """End the controller and start it again from the state that it saved."""
        controller = self._pid("slurmctld")
        os.kill(controller, signal.SIGTERM)
        wait_until(lambda: not Path(f"/proc/{controller}/exe").exists(), "the controller ended")
        self._start_controller()

    # Start and stop

    def start(self) -> None:
        """Write the folder's files and start everything; returns when all nodes are idle.

        One start at a time on a machine: between the look at a port and its use another cluster
        might take it. Raises RuntimeError where it does not start, with the end of the controller's log.
        """
        with locked(STARTS):
            self._start()

    def _start(self) -> None:
        configuration.write(self.folder, self.nodes, self.cpus, self.memory, self.gpus)
        files = [
            f"--{name}-file={self.folder}/munge.{name}" for name in ("key", "pid", "log", "seed")
        ]
        # --force: the folder may lie below one that others can write to, such as /tmp
        self._daemon("munged", "--force", f"--socket={self.folder}/munge.socket", *files)
        try:
            self._start_controller("-i")
            for i in range(self.nodes):
                self.start_node(f"node{i + 1}")
            wait_until(lambda: self._idle() == self.nodes, "all nodes are idle")
        except (RuntimeError, TimeoutError) as error:
            log = self.folder / "slurmctld.log"
            tail = (
                log.read_text(encoding="utf-8")[-2000:]
                if log.exists()
                else "the controller has no log"
            )
            self.stop()
            raise RuntimeError(f"the cluster did not start: {error}\n{tail}") from None

    def stop(self) -> None:
        """Kill every process of the cluster, jobs and orphans included; the folder stays."""
        deadline = time.monotonic() + PATIENCE
        while processes := list(self.processes()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"processes that do not end: {processes}")
            for process in processes:
                kill(process)
            time.sleep(0.02)

    def processes(self) -> Iterator[int]:
        """Ids of all processes of the cluster, known by what they see as /etc/slurm."""
        own = (self.folder / "slurm.conf").stat()
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    seen = (entry / "root" / "etc" / "slurm" / "slurm.conf").stat()
                except OSError:  # it has ended, or has no such file
                    continue
                if os.path.samestat(own, seen):
                    yield int(entry.name)

    # How

    def _start_controller(self, *arguments: str) -> None:
        self._daemon("slurmctld", "-f", str(self.folder / "slurm.conf"), *arguments)
        wait_until(self._controller_answers, "the controller answers")

    def _controller_answers(self) -> bool:
        asked = subprocess.run(["scontrol", "ping"], env=self.environment, capture_output=True)
        return asked.returncode == 0

    def _idle(self) -> int:
        return len(self.run("sinfo", "-h", "-N", "-p", "cpu", "-t", "idle", "-o", "%N").split())

    def _pid(self, name: str) -> int:
        return int((self.folder / f"{name}.pid").read_text(encoding="utf-8"))

    def _daemon(self, *command: str) -> None:
        """Start a daemon that sees the folder as /etc/slurm, and node names as this machine."""
        mounts = 'mount --bind "$1" /etc/slurm; mount --bind "$1/hosts" /etc/hosts'
        script = f'{mounts}; shift; exec "$@"'
        self.run("unshare", "--mount", "sh", "-ec", script, "sh", str(self.folder), *command)


def kill(process: int) -> None:
    """Kill a process that may end by itself just now."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


@contextmanager
def running(**sizes: int) -> Iterator[Cluster]:
    """A cluster in a temporary folder, which is gone at the end with all its processes."""
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        cluster = Cluster(Path(folder), **sizes)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()


def main(action: str, folder: str) -> None:
    """`up` or `down`."""
    cluster = Cluster(Path(folder).resolve())
    if action == "up":
        if lacking := missing():
            raise SystemExit(f"a test cluster needs {'; '.join(lacking)}")
        if cluster.folder.exists():
            raise SystemExit(f"{folder} is there already; name a folder that is not")
        cluster.start()
        print(f"{cluster.nodes} nodes are idle; to use them:  . {cluster.folder}/env")
    elif (cluster.folder / "slurm.conf").exists():
        cluster.stop()
        shutil.rmtree(cluster.folder)
    else:
        raise SystemExit(f"{folder} holds no test cluster")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("up", "down"):
        raise SystemExit("usage: python -m tests.support.slurm.cluster up|down FOLDER")
    main(*sys.argv[1:])
