"""Array stores: whole or absent, and no damage goes unnoticed."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import zarr

from interference.store import arrays
from interference.store.arrays import open_array, writing
from interference.store.files import StoreError

ROWS = 70


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Chunks of 4 rows and shards of 16, so that little data fills several of each."""
    monkeypatch.setattr(arrays, "CHUNK_BYTES", 4 * 5 * 4)
    monkeypatch.setattr(arrays, "CHUNKS_PER_SHARD", 4)


@pytest.fixture
def values():
    return np.random.default_rng(0).standard_normal((ROWS, 5)).astype(np.float32)


def write(path, values, *, piece=9, dtype="float32"):
    with writing(path, values.shape, dtype, {}) as writer:
        for start in range(0, len(values), piece):
            writer.append(values[start : start + piece])
    return writer.manifest()


def shards(path):
    return sorted(file for file in (path / "c").rglob("*") if file.is_file())


@pytest.mark.parametrize("dtype", ["float16", "float32", "uint8"])
@pytest.mark.parametrize("shape", [(1, 5), (4, 5), (70, 5), (33, 2, 3), (17,)])
def test_a_store_gives_back_every_slice_that_was_written(tmp_path, dtype, shape):
    values = np.random.default_rng(1).uniform(0, 200, shape).astype(dtype)
    store = open_array(tmp_path / "x.zarr", write(tmp_path / "x.zarr", values, dtype=dtype))
    assert (store.shape, store.dtype, len(store)) == (shape, np.dtype(dtype), shape[0])
    for rows in (slice(None), slice(1, 3), slice(shape[0] - 1, None), slice(0, 0)):
        np.testing.assert_array_equal(store[rows], values[rows])


@pytest.mark.parametrize("piece", [1, 16, 70])
def test_bytes_on_disk_do_not_depend_on_how_rows_were_appended(tmp_path, values, piece):
    reference = write(tmp_path / "a.zarr", values)
    assert write(tmp_path / "b.zarr", values, piece=piece) == reference
    for a, b in zip(shards(tmp_path / "a.zarr"), shards(tmp_path / "b.zarr"), strict=True):
        assert a.read_bytes() == b.read_bytes()


def test_the_manifest_has_the_hash_of_the_rows(tmp_path, values):
    manifest = write(tmp_path / "x.zarr", values)
    assert manifest["sha256"] == hashlib.sha256(values.tobytes()).hexdigest()
    assert (manifest["shape"], manifest["dtype"]) == ([ROWS, 5], "float32")


def test_a_store_appears_only_when_its_block_ends(tmp_path, values):
    path = tmp_path / "x.zarr"
    with writing(path, values.shape, "float32", {}) as writer:
        writer.append(values)
        assert not path.exists()
    assert path.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["x.zarr"]


def test_an_exception_in_the_middle_leaves_nothing(tmp_path, values):
    def die():
        with writing(tmp_path / "x.zarr", values.shape, "float32", {}) as writer:
            writer.append(values[:40])
            raise RuntimeError("died")

    with pytest.raises(RuntimeError, match="died"):
        die()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rows", [0, 16, ROWS - 1, ROWS + 1, 2 * ROWS])
def test_a_store_of_another_length_than_announced_is_refused(tmp_path, values, rows):
    def write_other():
        with writing(tmp_path / "x.zarr", values.shape, "float32", {}) as writer:
            if rows:
                writer.append(np.resize(values, (rows, 5)))

    with pytest.raises(StoreError, match=f"{ROWS}"):
        write_other()
    assert list(tmp_path.iterdir()) == []


def test_a_second_writer_of_the_same_store_is_fine(tmp_path, values):
    path = tmp_path / "x.zarr"
    with writing(path, values.shape, "float32", {}) as slow:
        first = write(path, values)
        slow.append(values)
    assert slow.manifest() == first
    np.testing.assert_array_equal(open_array(path, first)[:], values)
    assert [p.name for p in tmp_path.iterdir()] == ["x.zarr"]


def test_a_chunk_of_the_fill_value_is_written_all_the_same(tmp_path):
    for dtype, fill in (("float32", np.nan), ("uint8", 0)):
        path = tmp_path / f"{dtype}.zarr"
        values = np.full((ROWS, 5), fill, dtype)
        store = open_array(path, write(path, values, dtype=dtype))
        per_shard = zarr.open_array(path, mode="r").shards[0]
        assert len(shards(path)) == -(-ROWS // per_shard)
        np.testing.assert_array_equal(store[:], values)


def test_every_flipped_byte_of_a_shard_is_noticed_by_the_slice_that_holds_it(tmp_path, values):
    path = tmp_path / "x.zarr"
    manifest = write(path, values)
    store = open_array(path, manifest)
    file = shards(path)[0]
    whole = file.read_bytes()
    for position in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position % 8)
        file.write_bytes(damaged)
        with pytest.raises(StoreError, match=r"x\.zarr is damaged.*snakemake"):
            store[:16]
    file.write_bytes(whole)
    np.testing.assert_array_equal(store[:], values)


def test_a_flipped_byte_is_noticed_by_a_read_of_part_of_its_chunk(tmp_path, values):
    path = tmp_path / "x.zarr"
    store = open_array(path, write(path, values))
    file = shards(path)[1]
    damaged = bytearray(file.read_bytes())
    damaged[2] ^= 255  # the first row of the shard's first chunk
    file.write_bytes(damaged)
    with pytest.raises(StoreError, match="damaged"):
        store[19:20]  # its last row
    np.testing.assert_array_equal(store[20:24], values[20:24])


@pytest.mark.parametrize("length", [0, 1, 40, -1])
def test_a_truncated_shard_is_noticed(tmp_path, values, length):
    path = tmp_path / "x.zarr"
    store = open_array(path, write(path, values))
    file = shards(path)[0]
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(StoreError, match="damaged"):
        store[:4]


def test_a_missing_shard_is_noticed_when_the_store_is_opened(tmp_path, values):
    path = tmp_path / "x.zarr"
    manifest = write(path, values)
    count = len(shards(path))
    shards(path)[1].unlink()
    with pytest.raises(StoreError, match=f"1 of {count} shards are missing"):
        open_array(path, manifest)


@pytest.mark.parametrize(("key", "value"), [("shape", [ROWS - 1, 5]), ("dtype", "float16")])
def test_a_store_that_is_not_its_manifests_is_refused(tmp_path, values, key, value):
    manifest = write(tmp_path / "x.zarr", values)
    with pytest.raises(StoreError, match=f"{key} is .*manifest says"):
        open_array(tmp_path / "x.zarr", manifest | {key: value})


def test_a_missing_store_is_told(tmp_path):
    with pytest.raises(StoreError, match=r"x\.zarr is missing; run snakemake"):
        open_array(tmp_path / "x.zarr", {"shape": [1], "dtype": "uint8"})


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"zarr_format": 3}'])
def test_damaged_metadata_are_told(tmp_path, values, text):
    path = tmp_path / "x.zarr"
    manifest = write(path, values)
    (path / "zarr.json").write_text(text)
    with pytest.raises(StoreError, match=r"x\.zarr"):
        open_array(path, manifest)


def test_metadata_without_a_key_are_told(tmp_path, values):
    path = tmp_path / "x.zarr"
    manifest = write(path, values)
    metadata = json.loads((path / "zarr.json").read_text())
    del metadata["codecs"]
    (path / "zarr.json").write_text(json.dumps(metadata))
    with pytest.raises(StoreError, match=r"x\.zarr"):
        open_array(path, manifest)


def test_a_store_without_its_metadata_is_told(tmp_path, values):
    path = tmp_path / "x.zarr"
    manifest = write(path, values)
    (path / "zarr.json").unlink()
    with pytest.raises(StoreError, match=r"x\.zarr"):
        open_array(path, manifest)
    shutil.rmtree(path)
