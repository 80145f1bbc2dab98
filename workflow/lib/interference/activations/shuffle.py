"""Rows put in a uniformly random order, however many there are.

Each row is dropped into one of several buckets at random, and each bucket is permuted when it is
taken: together a uniform permutation. (It is a sort by random keys, of which a bucket is the leading
digits.) Buckets are files, so that memory holds one of them; where one bucket holds all, there is
no file.
"""

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from interference.store.files import temporary_name

#: Bytes of raw rows that a bucket holds on average, and that wait in memory to be put into files.
BUCKET_BYTES = 2**26


def bucket_count(rows: int, d: int) -> int:
    """Return the number of buckets for so many float32 rows of d channels."""
    return max(1, math.ceil(4 * rows * d / BUCKET_BYTES))


class Buckets:
    """Takes rows, every row for one bucket, and returns a bucket's rows in the order they came."""

    def __init__(self, folder: Path, count: int, d: int):
        self.folder, self.d = folder, d
        self.sizes = np.zeros(count, np.int64)
        self._pending: list[tuple[np.ndarray, np.ndarray]] = []
        self._bytes = 0

    def add(self, rows: np.ndarray, buckets: np.ndarray) -> None:
        """Add rows: (n, d) float32. buckets: (n,) integers, the bucket of every row."""
        self.sizes += np.bincount(buckets, minlength=len(self.sizes))
        self._pending.append((rows, buckets))
        self._bytes += rows.nbytes
        if len(self.sizes) > 1 and self._bytes >= BUCKET_BYTES:
            self._flush()

    def take(self, bucket: int) -> np.ndarray:
        """Remove and return the rows of a bucket, (n, d) float32, when all rows have been added."""
        if len(self.sizes) == 1:
            pending, self._pending = self._pending, []
            return np.concatenate([rows for rows, _ in pending])
        self._flush()
        file = self._file(bucket)
        if not file.exists():
            return np.empty((0, self.d), np.float32)
        rows = np.fromfile(file, np.float32).reshape(-1, self.d)
        file.unlink()
        return rows

    def _flush(self) -> None:
        if not self._pending:
            return
        rows, buckets = map(np.concatenate, zip(*self._pending, strict=True))
        self._pending, self._bytes = [], 0
        order = np.argsort(buckets, kind="stable")
        ends = np.cumsum(np.bincount(buckets, minlength=len(self.sizes)))
        for bucket, part in enumerate(np.split(order, ends[:-1])):
            if len(part):
                with self._file(bucket).open("ab") as file:
                    file.write(rows[part].data)

    def _file(self, bucket: int) -> Path:
        return self.folder / f"{bucket}.f32"


@contextmanager
def buckets_beside(output: Path, count: int, d: int) -> Iterator[Buckets]:
    """Yield empty buckets, whose files lie beside ``output`` and are removed at the block's end."""
    folder = temporary_name(output.with_suffix(".buckets"))
    folder.mkdir(parents=True)
    try:
        yield Buckets(folder, count, d)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
