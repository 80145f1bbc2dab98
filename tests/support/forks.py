"""Verbs of the package by a process that has loaded their libraries once, and forks a child for each.

A run of the workflow starts a hundred verbs, and most of what they take is Python loading libraries. Here
`interference` lets the process do the work before it loads any, waits for it, and ends it when it is ended
itself. A child is what a verb is after it has loaded its libraries; of this package nothing is loaded
before, so that each works by the code in its own folder. The first of each verb in a copy of the workflow
works by itself, as a user's does: of those alone does a record say which libraries a verb loads.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from contextlib import suppress
from functools import cache
from pathlib import Path

from tests.support import REPO

#: What verbs load that takes time. Whatever is not here, a child loads itself.
LIBRARIES = (
    "torch", "numba", "zarr", "pyarrow.parquet", "pandas", "safetensors.numpy",
    "safetensors.torch", "scipy.stats", "scipy.optimize", "matplotlib.figure", "matplotlib.pyplot",
    "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg", "typer", "PIL.Image", "jinja2",
)  # fmt: skip
#: Begins `interference` where the environment names who does verbs, and the copy's folder.
ASKING = """
def _ask(address, folder, given):
    import json, socket
    verb = " ".join(word for word in given[:2] if word.isalpha())
    try:
        os.close(os.open(os.path.join(folder, verb), os.O_CREAT | os.O_EXCL))
        return  # the first
    except FileExistsError:
        pass
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        said = json.dumps([os.getcwd(), dict(os.environ), given]).encode()
        socket.send_fds(server, [len(said).to_bytes(8, "little")], [0, 1, 2])
        server.sendall(said)
        status = int(server.makefile().readline() or "137")
    if status < 0:
        os.kill(os.getpid(), -status)
    os._exit(status)

if "VERBS_BY" in os.environ and os.path.basename(sys.orig_argv[1]) == "interference":
    _ask(*os.environ.pop("VERBS_BY").split(os.pathsep), sys.orig_argv[2:])
"""


@cache
def _address() -> str:
    """The socket of a process that does verbs until this one ends."""
    folder = tempfile.mkdtemp()
    address = f"{folder}/verbs"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.forks", address], cwd=REPO,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip

    def end() -> None:
        server.communicate()
        os.rmdir(folder)

    atexit.register(end)
    assert server.stdout.readline() == b"ready\n"
    return address


def variables(folder: Path) -> dict[str, str]:
    """What `ASKING` reads: whom to ask, and a folder for the names of the verbs that ran."""
    ran = folder / "ran"
    ran.mkdir(exist_ok=True)
    return {"VERBS_BY": os.pathsep.join((_address(), str(ran)))}


def _received(asking: socket.socket) -> tuple[str, dict[str, str], list[str], list[int]]:
    """Folder, environment, arguments and the three standard streams of who asks."""
    size, streams, _, _ = socket.recv_fds(asking, 8, 3)
    length, said = int.from_bytes(size, "little"), b""
    while len(said) < length:
        said += asking.recv(length - len(said))
    folder, environment, given = json.loads(said)
    return folder, environment, given, streams


def _become(folder: str, environment: dict[str, str], given: list[str], streams: list[int]) -> None:
    """Become `interference` with these arguments, its record written at the end."""
    os.setpgid(0, 0)
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0:0] = environment["PYTHONPATH"].split(os.pathsep)
    sys.argv = ["interference", *given]
    atexit.register(_record)
    from interference.cli.main import main

    main()


def _record() -> None:
    """What `checkout.RECORDER` writes of a process of its own, but for libraries, which were there."""
    modules = sorted(name for name in sys.modules if name.partition(".")[0] == "interference")
    path = Path(os.environ["RECORD_TO"], f"{os.getpid()}-{os.urandom(4).hex()}.json")
    record = {"arguments": sys.argv[1:], "modules": modules, "forked": True}
    path.write_text(json.dumps(record), encoding="utf-8")


def _serve(asking: socket.socket) -> None:
    """Start the verb, end it if who asked is gone, and say how it ended."""
    given = _received(asking)
    if not (child := os.fork()):
        asking.close()
        try:
            _become(*given)
        except SystemExit:
            raise
        except BaseException:
            traceback.print_exc()
            sys.exit(1)
        sys.exit(0)
    ended = os.pidfd_open(child)
    if ended not in select.select([ended, asking], [], [])[0]:
        os.killpg(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(BrokenPipeError):
        asking.sendall(f"{status}\n".encode())
    os._exit(0)


def main(address: str) -> None:
    """Serve until standard input ends."""
    for library in LIBRARIES:
        __import__(library)
    assert not any(name.partition(".")[0] == "interference" for name in sys.modules)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that serve
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(16)
        print("ready", flush=True)
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            asking, _ = listener.accept()
            if not os.fork():
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                listener.close()
                _serve(asking)
            asking.close()
    os.unlink(address)


if __name__ == "__main__":
    main(sys.argv[1])
