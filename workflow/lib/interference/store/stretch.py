"""A stretch of a store's rows, read when asked for: memory holds a batch, however long it is."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from interference.store.arrays import Reader


@dataclass(frozen=True)
class Stretch:
    """Rows start to stop of a store, counted from 0 here; sliced, they are read into memory."""

    reader: Reader
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.reader.shape[1:])

    def __getitem__(self, rows: slice) -> np.ndarray:
        """rows: a slice of step 1 → (rows, *shape[1:]). Raises StoreError where they are damaged."""
        start, stop, _ = rows.indices(len(self))
        return self.reader[self.start + start : self.start + max(start, stop)]

    def part(self, start: int, stop: int) -> "Stretch":
        """The rows from start to stop of this stretch."""
        return Stretch(self.reader, self.start + start, self.start + stop)

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """All rows in order, ``size`` at a time, the last fewer. A chunk is read and decoded once."""
        chunk, read = self.reader.chunk_rows, self.start
        held = self.reader[read:read]
        while len(held) or read < self.stop:
            if len(held) < size and read < self.stop:
                wanted = read + size - len(held)
                end = min(self.stop, -(-wanted // chunk) * chunk)
                more, read = self.reader[read:end], end
                held = np.concatenate([held, more]) if len(held) else more
            yield held[:size]
            held = held[size:]
