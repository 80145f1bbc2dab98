"""Threads make items ahead of their use: in order, not too many, with their errors, and they end."""

import itertools
import threading
import time

import pytest

from interference.prefetch import AHEAD, ahead, mapped


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


def test_threads_work_at_most_an_item_each_ahead():
    begun = []

    def work(item):
        begun.append(item)
        return item, threading.current_thread()

    feed = mapped(work, itertools.count(), threads=3)
    for wanted in range(5):
        item, worker = next(feed)
        assert item == wanted
        assert worker is not threading.main_thread()
        time.sleep(0.02)
        assert len(begun) <= wanted + 1 + 3
    feed.close()


def test_results_come_in_order_whichever_is_done_first():
    def work(item):
        time.sleep(0.01 * (item % 3 == 0))
        return -item

    assert list(mapped(work, iter(range(20)), threads=4)) == [-item for item in range(20)]
    assert list(mapped(work, iter([]), threads=4)) == []


def test_what_one_of_the_threads_raises_is_raised_in_its_turn():
    before = threading.active_count()

    def work(item):
        if item == 4:
            raise OSError("unplugged")
        return item

    feed = mapped(work, itertools.count(1), threads=4)
    assert [next(feed) for _ in range(3)] == [1, 2, 3]
    with pytest.raises(OSError, match="unplugged"):
        next(feed)
    assert threading.active_count() == before
