"""Threads read ahead of training, and change nothing but the wait."""

import threading
import time

import numpy as np
import pytest

from interference.saes import rows as rows_module
from interference.saes.compiled import topk
from interference.saes.fit import run as fit
from interference.saes.rows import READERS, batches
from interference.store import arrays
from interference.store.arrays import Reader, open_array
from interference.store.files import StoreError
from tests.support.sweeps import D, spec, store, write_rows


@pytest.fixture
def numbered(tmp_path, monkeypatch):
    """103 rows that carry their number, in chunks of 10."""
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 10 * D * 2)
    monkeypatch.setattr(arrays, "CHUNKS_PER_SHARD", 2)
    values = np.repeat(np.arange(103.0)[:, None], D, 1)
    return open_array(tmp_path / "x.zarr", store(tmp_path / "x.zarr", values))


def count_reads(monkeypatch):
    """The first rows of what is read from stores, in order."""
    reads, real = [], Reader.__getitem__
    monkeypatch.setattr(
        Reader, "__getitem__", lambda self, rows: (reads.append(rows.start), real(self, rows))[1]
    )
    return reads


def threads():
    return threading.active_count()


def test_batches_are_the_same_with_and_without_threads(numbered, monkeypatch):
    threaded = list(batches(numbered, 7, 500, seed=3))
    monkeypatch.setattr(rows_module, "mapped", lambda work, items, _: (work(i) for i in items))
    np.testing.assert_array_equal(threaded, list(batches(numbered, 7, 500, seed=3)))


def test_a_fit_has_the_same_bytes_with_and_without_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 30 * D * 2)
    rows = write_rows(tmp_path / "rows.json")
    fit(spec(), rows, tmp_path / "a" / "sae.json")
    monkeypatch.setattr(rows_module, "mapped", lambda work, items, _: (work(i) for i in items))
    fit(spec(), rows, tmp_path / "b" / "sae.json")
    for suffix in (".json", ".safetensors", ".parquet"):
        a, b = (tmp_path / run / f"sae{suffix}" for run in "ab")
        assert a.read_bytes() == b.read_bytes()


@pytest.mark.parametrize("skip", [0, 1, 9, 10, 14, 15, 29, 30])
@pytest.mark.parametrize("batch", [7, 10, 25])
def test_skipped_batches_leave_the_rest_as_it_was(numbered, batch, skip):
    whole = list(batches(numbered, batch, 30 * batch, seed=1))
    rest = list(batches(numbered, batch, 30 * batch, seed=1, skip=skip))
    assert len(rest) == 30 - skip
    for expected, found in zip(whole[skip:], rest, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_skipped_chunks_are_not_read(numbered, monkeypatch):
    reads = count_reads(monkeypatch)
    feed = batches(numbered, 10, 52 * 103, seed=0, skip=515)
    next(feed), feed.close()
    assert len(reads) <= 2 + READERS


def test_order_does_not_depend_on_how_fast_training_is(numbered):
    quick = list(batches(numbered, 7, 210, seed=3))
    slow = []
    for x in batches(numbered, 7, 210, seed=3):
        time.sleep(0.003)
        slow.append(x)
    np.testing.assert_array_equal(quick, slow)


def test_a_chunk_damaged_during_training_stops_it(tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 30 * D * 2)
    rows = write_rows(tmp_path / "rows.json")
    shard = next(
        file for file in rows.with_suffix(".train.zarr").joinpath("c").rglob("*") if file.is_file()
    )
    real, before = topk.Step.step, threads()

    def damage(self, *arguments):
        content = bytearray(shard.read_bytes())
        content[2] ^= 255
        shard.write_bytes(content)
        monkeypatch.setattr(topk.Step, "step", real)
        real(self, *arguments)

    monkeypatch.setattr(topk.Step, "step", damage)
    with pytest.raises(StoreError, match=r"rows\.train\.zarr is damaged.*snakemake"):
        fit(spec(), rows, tmp_path / "a" / "sae.json")
    assert not (tmp_path / "a").exists()
    assert threads() == before


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ZeroDivisionError])
def test_the_thread_ends_when_training_stops_early(tmp_path, monkeypatch, stop):
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 30 * D * 2)
    rows = write_rows(tmp_path / "rows.json")
    before = threads()

    def fail(self, *arguments):
        assert threads() > before
        raise stop

    monkeypatch.setattr(topk.Step, "step", fail)
    with pytest.raises(stop):
        fit(spec(), rows, tmp_path / "a" / "sae.json")
    assert threads() == before
