"""Decode pictures in worker processes: in order, and with few of them in memory."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context

from interference.data.decode import Decoded, Place, decode_all, end_with_parent
from interference.data.errors import DatasetError

#: Pictures per task, and tasks per worker that are under way or wait to be taken.
TASK = 16
TASKS_PER_WORKER = 2


def cpus(given: int | None = None) -> int:
    """Return the number of CPUs of this job: by Snakemake and Slurm, the fewer where both say.

    given: by Snakemake; None for a verb that is run by hand, which takes what Slurm gives it, else
    all CPUs that it may run on.
    """
    slurm = int(os.environ.get("SLURM_CPUS_PER_TASK") or 0)
    return min(filter(None, (given, slurm)), default=len(os.sched_getaffinity(0)))


class Workers:
    """A pool of processes that decode; use it in a ``with``."""

    def __init__(self, number: int, resize: int, size: int):
        """Start ``number`` processes. resize, size: pixels, as `decode` takes them."""
        self.number, self._settings = number, (resize, size)
        # spawn: a fork of a process with threads may inherit a lock that nobody frees
        self._pool = ProcessPoolExecutor(
            number, mp_context=get_context("spawn"), initializer=end_with_parent
        )

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *failure: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def decode(self, places: Iterable[Place]) -> Iterator[tuple[list[Place], Decoded]]:
        """Yield (places, decoded) task by task, in the order of ``places``.

        Raises DatasetError where a file cannot be read or a process was killed.
        """
        places = iter(places)
        waiting: deque[tuple[list[Place], Future[Decoded]]] = deque()
        while task := list(islice(places, TASK)):
            if len(waiting) == TASKS_PER_WORKER * self.number:
                yield self._finished(*waiting.popleft())
            waiting.append((task, self._submit(task)))
        while waiting:
            yield self._finished(*waiting.popleft())

    def _submit(self, task: list[Place]) -> Future[Decoded]:
        try:
            return self._pool.submit(decode_all, task, *self._settings)
        except BrokenProcessPool:
            raise self._killed(task) from None

    def _finished(self, task: list[Place], future: Future[Decoded]) -> tuple[list[Place], Decoded]:
        try:
            return task, future.result()
        except BrokenProcessPool:
            raise self._killed(task) from None

    def _killed(self, task: list[Place]) -> DatasetError:
        return DatasetError(
            f"one of {self.number} processes that decode pictures was killed, most likely for "
            "memory; give the job more memory or fewer CPUs, and run snakemake again ("
            f"{task[0].name} or one soon after it was being decoded)"
        )
