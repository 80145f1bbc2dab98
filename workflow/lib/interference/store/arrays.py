"""Arrays on disk: one Zarr v3 array per store, sharded, with checksums, written once in order.

A missing chunk of a Zarr array reads silently as its fill value, so floats are filled with NaN,
every chunk is written, and a reader counts the shards before it believes a store. Each store has a
manifest beside it: shape, dtype, the SHA-256 of its rows and the spec of the job that made it.

zarr's own codec pipeline is used, not the faster one of `zarrs`: zarrs 0.2.3 skips the checksum
of every chunk of a shard that it decodes in part, and returned wrong bytes without a word.
"""

import hashlib
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import BytesCodec, Crc32cCodec

from interference.store.files import StoreError, replacing

# zarr's own defaults, whatever files or variables of the user's say: another pipeline, format or order.
zarr.config.refresh(paths=[], env={})

#: Bytes of a chunk (what a reader takes at once) and chunks in a shard (what a file holds).
CHUNK_BYTES = 2**19
CHUNKS_PER_SHARD = 16


class Writer:
    """Takes rows in order, writes whole shards, and hashes what it wrote."""

    def __init__(self, array: zarr.Array):
        assert array.shards is not None
        self.array, self._shard_rows = array, array.shards[0]
        self.shape = array.shape
        self._hash = hashlib.sha256()
        self._pending: list[np.ndarray] = []
        self._written = 0

    def append(self, rows: np.ndarray) -> None:
        """Add the next rows: (any number, *shape[1:]), cast to the store's dtype."""
        rows = np.ascontiguousarray(rows, dtype=self.array.dtype)
        self._hash.update(rows.data)
        self._pending.append(rows)
        if sum(map(len, self._pending)) >= self._shard_rows:
            self._flush(whole_shards=True)

    def _flush(self, *, whole_shards: bool) -> None:
        rows = np.concatenate(self._pending)
        count = len(rows)
        if whole_shards:
            count -= count % self._shard_rows
        if self._written + count > self.shape[0]:
            raise StoreError(f"more than the {self.shape[0]} rows announced were written")
        self.array[self._written : self._written + count] = rows[:count]
        self._written += count
        self._pending = [rows[count:].copy()]  # a view would keep all of them

    def shorten(self, rows: int) -> None:
        """Announce fewer rows than at the start, and no fewer than have been appended."""
        self.array.resize((rows, *self.shape[1:]))
        self.shape = self.array.shape

    def close(self) -> None:
        """Write what is left. Raises StoreError where fewer rows came than were announced."""
        if self._pending:
            self._flush(whole_shards=False)
        if self._written != self.shape[0]:
            raise StoreError(f"{self._written} rows were written, {self.shape[0]} announced")

    def manifest(self) -> dict:
        """Return what identifies the content: shape, dtype and SHA-256 of the rows."""
        return {
            "shape": list(self.shape),
            "dtype": str(self.array.dtype),
            "sha256": self._hash.hexdigest(),
        }


def _row_bytes(shape: tuple[int, ...], dtype: str) -> int:
    return np.dtype(dtype).itemsize * math.prod(shape[1:])


def _chunk_rows(shape: tuple[int, ...], dtype: str) -> int:
    return min(shape[0], max(1, CHUNK_BYTES // _row_bytes(shape, dtype)))


def bytes_on_disk(shape: tuple[int, ...], dtype: str) -> int:
    """Return the bytes that the shards of a store will take.

    The last chunk is filled up; every chunk has a checksum (4 bytes), and every shard an index with
    offset and length (8 bytes each) of all chunks that it could hold, and a checksum.
    """
    rows = _chunk_rows(shape, dtype)
    chunks = math.ceil(shape[0] / rows)
    index = 16 * CHUNKS_PER_SHARD + 4
    return (
        chunks * (rows * _row_bytes(shape, dtype) + 4)
        + math.ceil(chunks / CHUNKS_PER_SHARD) * index
    )


@contextmanager
def writing(path: Path, shape: tuple[int, ...], dtype: str, spec: dict) -> Iterator[Writer]:
    """Yield a writer of a new store, which appears at ``path`` when the block ends well.

    shape: (rows, ...); a chunk holds whole rows, about half a megabyte of them.
    spec: of the job, kept among the attributes.
    Raises StoreError where more or fewer rows are written than ``shape`` announces.
    """
    chunk = _chunk_rows(shape, dtype)
    fill = np.nan if np.issubdtype(np.dtype(dtype), np.floating) else 0
    with replacing(path) as temporary:
        array = zarr.create_array(
            temporary,
            shape=shape,
            dtype=dtype,
            chunks=(chunk, *shape[1:]),
            shards=(chunk * CHUNKS_PER_SHARD, *shape[1:]),
            serializer=BytesCodec(),
            compressors=[Crc32cCodec()],
            fill_value=fill,
            config={"write_empty_chunks": True},
            attributes={"spec": spec},
        )
        writer = Writer(array)
        yield writer
        writer.close()


class Reader:
    """A checked store, whose rows are read by slices; a damaged chunk raises StoreError."""

    def __init__(self, path: Path, array: zarr.Array):
        self.path, self._array = path, array
        self.shape, self.dtype = array.shape, array.dtype
        self.chunk_rows = array.chunks[0]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Read a slice of the first axis: (rows, *shape[1:])."""
        try:
            return np.asarray(self._array[rows])
        except ValueError as error:  # zarr's word for a checksum that does not fit
            raise StoreError(
                f"{self.path} is damaged ({error}); remove it and run snakemake"
            ) from None


def open_array(path: Path, manifest: dict) -> Reader:
    """Open a finished store after checking it against its manifest's shape, dtype and shards.

    manifest: {"shape", "dtype", ...} as `Writer.manifest` gives it.
    Raises StoreError where the store is missing, of another shape, damaged, or lacks a shard.
    """
    try:
        array = zarr.open_array(path, mode="r")
    except FileNotFoundError:
        raise StoreError(f"{path} is missing; run snakemake to make it") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path} is damaged ({error}); remove it and run snakemake") from None
    for key, value in (("shape", list(array.shape)), ("dtype", str(array.dtype))):
        if value != manifest[key]:
            raise StoreError(f"{path}: {key} is {value}, its manifest says {manifest[key]}")
    files = zip(array.shape, array.shards or array.chunks, strict=True)
    shards = math.prod(math.ceil(rows / of_file) for rows, of_file in files)
    present = sum(1 for file in (Path(path) / "c").rglob("*") if file.is_file())
    if present != shards:
        raise StoreError(
            f"{path}: {shards - present} of {shards} shards are missing; "
            "remove the store and run snakemake"
        )
    return Reader(Path(path), array)
