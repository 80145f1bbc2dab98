"""A thread makes items ahead of their use: in order, not too many, with its errors, and it ends."""

import itertools
import threading
import time

import pytest

from interference.prefetch import AHEAD, ahead


def test_a_thread_reads_at_most_so_many_ahead():
    made = []

    def items():
        for i in itertools.count():
            made.append((i, threading.current_thread()))
            yield i

    feed = ahead(items())
    for wanted in range(5):
        assert next(feed) == wanted
        deadline = time.monotonic() + 10
        while len(made) < wanted + 1 + AHEAD and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.02)
        assert len(made) == wanted + 1 + AHEAD
    feed.close()
    makers = {thread for _, thread in made}
    assert len(makers) == 1
    assert threading.main_thread() not in makers


def test_all_items_come_where_they_end():
    assert list(ahead(iter(range(7)))) == list(range(7))
    assert list(ahead(iter([]))) == []


def test_what_the_thread_raises_is_raised_after_what_came_before_it():
    before = threading.active_count()

    def items():
        yield from (1, 2, 3)
        raise OSError("unplugged")

    feed = ahead(items())
    assert [next(feed) for _ in range(3)] == [1, 2, 3]
    with pytest.raises(OSError, match="unplugged"):
        next(feed)
    assert threading.active_count() == before


def test_a_thread_that_is_left_early_ends():
    before = threading.active_count()
    reading = ahead(range(100))
    assert next(reading) == 0
    reading.close()
    assert threading.active_count() == before
