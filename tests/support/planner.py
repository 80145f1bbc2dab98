"""Dry runs of Snakemake by a process that has loaded it once, and starts a child for each.

A child is what `snakemake` is after it has loaded its libraries; of this package and of the workflow
nothing is loaded before, so that each child plans by the code in its own folder.
"""

import atexit
import gc
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile

from tests.support import REPO


@cache
def _server() -> subprocess.Popen:
    """The process that waits for what to plan, one line each; it ends with this one."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.planner"], cwd=REPO,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
    )  # fmt: skip
    atexit.register(server.communicate)
    return server


def snakemake(folder: Path, environment: dict[str, str], given: Sequence[str]) -> tuple[int, str]:
    """The exit status of `snakemake GIVEN…` in a folder, and all that it printed."""
    server = _server()
    with TemporaryFile() as said:
        output = f"/proc/{os.getpid()}/fd/{said.fileno()}"
        print(json.dumps([str(folder), environment, given, output]), file=server.stdin, flush=True)
        status = int(server.stdout.readline())
        said.seek(0)
        return status, said.read().decode()


def _plan(folder: str, environment: dict[str, str], given: list[str], output: str) -> None:
    """Become `snakemake` in a folder, with an environment and an output of its own."""
    with open(output, "wb") as file, open(os.devnull, "rb") as nothing:
        for descriptor, target in enumerate((nothing, file, file)):
            os.dup2(target.fileno(), descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0:0] = environment["PYTHONPATH"].split(os.pathsep)
    sys.argv = ["snakemake", *given]
    cli.main()


if __name__ == "__main__":
    import pydantic  # noqa: F401
    import smart_open  # noqa: F401
    from snakemake import cli

    assert not any(name.partition(".")[0] == "interference" for name in sys.modules)
    gc.freeze()
    for line in sys.stdin:
        if not (child := os.fork()):
            try:
                _plan(*json.loads(line))
            except SystemExit:
                raise
            except BaseException:
                traceback.print_exc()
                sys.exit(1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
