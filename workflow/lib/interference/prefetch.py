"""An iterator's next items, prepared by threads while the last one is used."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

#: Items that wait to be used.
AHEAD = 2

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(items: Iterable[Item]) -> Generator[Item]:
    """Yield items in their order, while a thread prepares up to AHEAD more.

    What the thread raises is raised here; closing this iterator ends the thread.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1) as thread:
        waiting = deque(thread.submit(list, islice(iterator, 1)) for _ in range(AHEAD))
        while next_item := waiting.popleft().result():  # empty at the end
            waiting.append(thread.submit(list, islice(iterator, 1)))
            yield from next_item


def mapped(
    work: Callable[[Item], Result], items: Iterator[Item], threads: int
) -> Generator[Result]:
    """Yield ``work`` of each item in their order, done by threads, each at most one item ahead.

    What a thread raises is raised here; closing this iterator ends the threads.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque(pool.submit(work, item) for item in islice(items, threads))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(work, item) for item in islice(items, 1))
            yield result
