"""Waiting for what a test needs, and for another process that makes it."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

#: Seconds after which what a test waits for will never be so, on however busy a machine. No test takes
#: this long: who waits looks ten times a second.
PATIENCE = 1800.0


def wait_until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> object:
    """The first true value of a condition that is asked ten times a second; else TimeoutError."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds:.0f} s still not so: {what}")
        time.sleep(0.1)
    return value


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until no other process or thread of this machine holds the lock, and keep them waiting."""
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
