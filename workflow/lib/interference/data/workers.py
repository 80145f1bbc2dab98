"""Pictures decoded by worker processes: in order, with few in memory, whatever their number."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context

from interference.data.decode import Decoded, Place, decode_all, end_with_parent
from interference.data.errors import DatasetError

#: Pictures in a task, and tasks a worker that are under way or wait to be taken.
TASK = 16
TASKS_PER_WORKER = 2


def cpus(given: int | None = None) -> int:
    """The CPUs that this job was given: by Snakemake and by Slurm, the fewer where both say so.

    given: by Snakemake; None for a verb that is run by hand, which takes what Slurm gives it, else
    all CPUs that it may run on.
    """
    slurm = int(os.environ.get("SLURM_CPUS_PER_TASK") or 0)
    return min(filter(None, (given, slurm)), default=len(os.sched_getaffinity(0)))


class Workers:
    """A pool of processes that decode; use it in a ``with``."""

    def __init__(self, number: int, resize: int, size: int):
        """number: of processes. resize, size: pixels, as `decode` takes them."""
        self.number, self._settings = number, (resize, size)
        # Started afresh: a fork of a process with threads may inherit a lock that nobody frees.
        self._pool = ProcessPoolExecutor(
            number, mp_context=get_context("spawn"), initializer=end_with_parent
        )

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *failure: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def decode(self, places: Iterable[Place]) -> Iterator[tuple[list[Place], Decoded]]:
        """Each few pictures with what became of them, in the order of ``places``.

        Raises DatasetError where a file cannot be read or a process was killed.
        """
        places, waiting = iter(places), deque()
        while task := list(islice(places, TASK)):
            if len(waiting) == TASKS_PER_WORKER * self.number:
                yield self._finished(*waiting.popleft())
            waiting.append((task, self._submit(task)))
        while waiting:
            yield self._finished(*waiting.popleft())

    def _submit(self, task: list[Place]) -> Future:
        try:
            return self._pool.submit(decode_all, task, *self._settings)
        except BrokenProcessPool:
            raise self._killed(task) from None

    def _finished(self, task: list[Place], future: Future) -> tuple[list[Place], Decoded]:
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
