"""What a job writes to its log: the progress of long loops, single lines, sizes in words."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

#: Seconds between two lines of a log.
LOG_INTERVAL = 10.0

Item = TypeVar("Item")


def track(items: Iterable[Item], *, total: int, label: str) -> Iterator[Item]:
    """Yield ``items``, and show under the name ``label`` how many of ``total`` are done."""
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
    """Write one line to the log, stderr."""
    print(line, file=sys.stderr, flush=True)


def in_bytes(count: float) -> str:
    """Return a number of bytes in words, such as 1.5 GB (decimal units)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
