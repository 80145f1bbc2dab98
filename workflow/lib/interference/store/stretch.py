"""Consecutive rows of a store, read when they are asked for: memory holds one batch of them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from interference.store.arrays import Reader


@dataclass(frozen=True)
class Stretch:
    """Rows ``start`` to ``stop`` of a store, counted from 0 here; a slice is read into memory."""

    reader: Reader
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self.reader.shape[1:])

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Read a slice of step 1: (rows, *shape[1:]). Raises StoreError where rows are damaged."""
        start, stop, _ = rows.indices(len(self))
        return self.reader[self.start + start : self.start + max(start, stop)]

    def part(self, start: int, stop: int) -> "Stretch":
        """Return rows ``start`` to ``stop`` of this stretch as a stretch of their own."""
        return Stretch(self.reader, self.start + start, self.start + stop)

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """Yield all rows in order, ``size`` at a time, the last fewer. Every chunk is read once."""
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
