"""What people see of a job: the progress of long loops, lines of the log, bytes in words."""

import sys
import time
from collections.abc import Iterable, Iterator

#: Seconds between two lines of a log.
LOG_INTERVAL = 10.0


def track(items: Iterable, *, total: int, label: str) -> Iterator:
    """Yield ``items`` and show how many of ``total`` are done under the name ``label``."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, total=total, desc=label, leave=False)
        return
    start = last = time.monotonic()
    done = 0
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= LOG_INTERVAL and done < total:
            left = (now - start) / done * (total - done)
            say(f"{label}: {done} of {total}, about {left:.0f} s left")
            last = now
    say(f"{label}: {done} of {total} in {time.monotonic() - start:.1f} s")


def say(line: str) -> None:
    """One line to the log."""
    print(line, file=sys.stderr, flush=True)


def in_bytes(count: float) -> str:
    """A number of bytes for people: 1.5 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
