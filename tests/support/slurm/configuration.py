"""The files that a test cluster starts from: Slurm's configuration, munge's key, fake GPUs."""

import os
import random
import secrets
import shlex
import socket
import stat
from pathlib import Path

#: Slurm's configuration, with the cluster's own values to be filled in.
TEMPLATE = Path(__file__).with_name("slurm.conf")
GRES = """\
AutoDetect=off
NodeName=node[1-{nodes}] Name=gpu Type=fake File={folder}/gpus/[0-{last_gpu}]
"""
#: Ports of daemons: below those that Linux gives to clients, and those at which ranks meet.
PORTS = range(10_000, 20_000)
#: The device number of /dev/null.
NULL = os.makedev(1, 3)


def write(folder: Path, nodes: int, cpus: int, memory: int, gpus: int) -> None:
    """Fill a cluster's folder; cpus, memory (MB) and gpus of each node.

    Raises RuntimeError where the folder's name is too long for that of a socket in it.
    """
    if len(str(folder)) > 80:
        raise RuntimeError(f"{folder}: too long for a socket's path; at most 80 characters")
    for name in ("state", "spool", "gpus"):
        (folder / name).mkdir(parents=True)
    host = socket.gethostname().partition(".")[0]
    ports = free_ports(1 + nodes)
    values = {"folder": folder, "host": host, "nodes": nodes, "last_gpu": gpus - 1}
    values |= {"controller_port": ports[0], "first_port": ports[1], "last_port": ports[-1]}
    values |= {"cpus": cpus, "memory": memory, "gpus": gpus}
    names = " ".join(f"node{i + 1}" for i in range(nodes))
    (folder / "slurm.conf").write_text(
        TEMPLATE.read_text(encoding="utf-8").format(**values), encoding="utf-8"
    )
    (folder / "gres.conf").write_text(GRES.format(**values), encoding="utf-8")
    (folder / "cgroup.conf").write_text("CgroupAutomount=no\n", encoding="utf-8")
    (folder / "hosts").write_text(f"127.0.0.1 localhost {host} {names}\n", encoding="utf-8")
    (folder / "env").write_text(
        f"export SLURM_CONF={shlex.quote(str(folder))}/slurm.conf\n", encoding="utf-8"
    )
    for gpu in range(gpus):  # Slurm takes character devices only
        os.mknod(folder / "gpus" / str(gpu), stat.S_IFCHR | 0o600, NULL)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)


def free_ports(count: int) -> range:
    """Neighbouring ports that nobody listens on, drawn at random so that clusters do not meet."""
    while True:
        first = random.randrange(PORTS.start, PORTS.stop - count)
        ports = range(first, first + count)
        try:
            for port in ports:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return ports
