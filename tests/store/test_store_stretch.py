"""A stretch of a store: rows when asked for, and each chunk once."""

import numpy as np
import pytest

from interference.store import arrays
from interference.store.arrays import bytes_on_disk, open_array, writing
from interference.store.files import StoreError
from interference.store.space import check, require
from interference.store.stretch import Stretch


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Chunks of 4 rows and shards of 16."""
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 4 * 5 * 4)
    monkeypatch.setattr(arrays, "CHUNKS_PER_SHARD", 4)


VALUES = np.random.default_rng(0).standard_normal((70, 5)).astype(np.float32)


@pytest.fixture
def reader(tmp_path):
    with writing(tmp_path / "x.zarr", VALUES.shape, "float32", {}) as writer:
        writer.append(VALUES)
    return open_array(tmp_path / "x.zarr", writer.manifest())


@pytest.mark.parametrize(("start", "stop"), [(0, 70), (3, 50), (16, 32), (69, 70), (5, 5)])
def test_a_stretch_is_the_rows_from_start_to_stop(reader, start, stop):
    stretch, expected = Stretch(reader, start, stop), VALUES[start:stop]
    assert stretch.shape == expected.shape
    for rows in (slice(None), slice(2, 7), slice(-3, None), slice(7, 2), slice(60, 99)):
        np.testing.assert_array_equal(stretch[rows], expected[rows])
    np.testing.assert_array_equal(stretch.part(0, len(stretch))[:], expected)


def test_a_part_of_a_stretch_is_counted_from_its_start(reader):
    np.testing.assert_array_equal(Stretch(reader, 10, 60).part(5, 20)[:], VALUES[15:30])


@pytest.mark.parametrize("size", [1, 3, 4, 7, 16, 70, 100])
@pytest.mark.parametrize(("start", "stop"), [(0, 70), (3, 50), (5, 5)])
def test_batches_are_all_rows_in_order(reader, start, stop, size):
    expected = [VALUES[i : min(i + size, stop)] for i in range(start, stop, size)]
    found = list(Stretch(reader, start, stop).batches(size))
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("size", [1, 3, 7, 30])
def test_a_chunk_is_read_once(reader, size, monkeypatch):
    chunks = []
    read = type(reader).__getitem__

    def counted(self, rows):
        start, stop, _ = rows.indices(len(self))
        chunks.extend(range(start // 4, -(-stop // 4)) if stop > start else [])
        return read(self, rows)

    monkeypatch.setattr(type(reader), "__getitem__", counted)
    assert sum(map(len, Stretch(reader, 3, 66).batches(size))) == 63
    assert chunks == list(range(17))


@pytest.mark.parametrize("shape", [(70, 5), (1, 5), (64, 5), (65, 5), (33, 2, 3)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "uint8"])
def test_bytes_on_disk_are_known_before_anything_is_written(tmp_path, shape, dtype):
    expected = bytes_on_disk(shape, dtype)
    with writing(tmp_path / "x.zarr", shape, dtype, {}) as writer:
        writer.append(np.ones(shape))
    check(tmp_path / "x.zarr", expected)
    with pytest.raises(StoreError, match=f"takes {expected} bytes, {expected + 1} were predicted"):
        check(tmp_path / "x.zarr", expected + 1)


def test_more_bytes_than_are_free_are_refused_with_both_numbers(tmp_path):
    require(tmp_path / "new", 1)
    with pytest.raises(StoreError, match=r"1e\+03 TB are needed there .*B are free"):
        require(tmp_path / "new", 10**15)
