"""Arrays on disk: one Zarr v3 array a store, sharded, with checksums, written once in order.

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
        self.array = array
        self.shape = array.shape
        self._hash = hashlib.sha256()
        self._pending: list[np.ndarray] = []
        self._written = 0

    def append(self, rows: np.ndarray) -> None:
        """rows: (any number, *shape[1:]), cast to the store's dtype."""
        rows = np.ascontiguousarray(rows, dtype=self.array.dtype)
        self._hash.update(rows)
        self._pending.append(rows)
        if sum(map(len, self._pending)) >= self.array.shards[0]:
            self._flush(whole_shards=True)

    def _flush(self, *, whole_shards: bool) -> None:
        rows = np.concatenate(self._pending)
        size = self.array.shards[0]
        count = len(rows) // size * size if whole_shards else len(rows)
        if self._written + count > self.shape[0]:
            raise StoreError(f"more than the {self.shape[0]} rows announced were written")
        self.array[self._written : self._written + count] = rows[:count]
        self._written += count
        self._pending = [rows[count:].copy()]  # a view would keep all of them

    def shorten(self, rows: int) -> None:
        """Announce fewer rows: the store ends after the first ``rows``, of which it has a part."""
        self.array.resize((rows, *self.shape[1:]))
        self.shape = self.array.shape

    def close(self) -> None:
        if self._pending:
            self._flush(whole_shards=False)
        if self._written != self.shape[0]:
            raise StoreError(f"{self._written} rows were written, {self.shape[0]} announced")

    def manifest(self) -> dict:
        """What identifies the content: shape, dtype and hash of the rows."""
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
    """Bytes that the shards of a store will take.

    A last chunk is filled up; each chunk has a checksum, and each shard an index with a place and a
    length (8 bytes each) of every chunk that it could hold.
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
    """A writer of a new store; the store appears at ``path`` when the block ends well.

    shape: (rows, ...); a chunk holds whole rows, about half a megabyte of them.
    spec: of the job, kept among the attributes.
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
    """A checked store: rows by slices, with a damaged chunk told as a StoreError."""

    def __init__(self, path: Path, array: zarr.Array):
        self.path, self._array = path, array
        self.shape, self.dtype = array.shape, array.dtype
        self.chunk_rows = array.chunks[0]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        """rows: a slice of the first axis → (rows, *shape[1:])."""
        try:
            return self._array[rows]
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
    found = {"shape": list(array.shape), "dtype": str(array.dtype)}
    for key, value in found.items():
        if value != manifest[key]:
            raise StoreError(f"{path}: {key} is {value}, its manifest says {manifest[key]}")
    shards = math.prod(math.ceil(n / s) for n, s in zip(array.shape, array.shards, strict=True))
    present = sum(1 for file in (Path(path) / "c").rglob("*") if file.is_file())
    if present != shards:
        raise StoreError(
            f"{path}: {shards - present} of {shards} shards are missing; "
            "remove the store and run snakemake"
        )
    return Reader(Path(path), array)
