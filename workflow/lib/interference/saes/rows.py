"""Feed rows to training: whole chunks in a seeded random order, epoch after epoch.

Rows were shuffled when they were written, so taking chunks in random order and rows within a
chunk in random order mixes them without ever reading a random row.
"""

from collections.abc import Iterator

import numpy as np

from interference.store.arrays import Reader


def chunks(store: Reader, seed: int) -> Iterator[np.ndarray]:
    """Endless chunks (rows, d) of the store's dtype; every epoch reads each chunk once."""
    size = store.chunk_rows
    count = -(-len(store) // size)
    order = np.random.default_rng([seed, 1])
    while True:
        for i in order.permutation(count):
            chunk = store[i * size : (i + 1) * size]
            yield chunk[order.permutation(len(chunk))]


def batches(store: Reader, batch_size: int, rows: int, seed: int) -> Iterator[np.ndarray]:
    """Exactly rows // batch_size batches (batch_size, d) float32."""
    source = chunks(store, seed)
    rest = next(source)
    for _ in range(rows // batch_size):
        while len(rest) < batch_size:
            rest = np.concatenate([rest, next(source)])
        yield rest[:batch_size].astype(np.float32)
        rest = rest[batch_size:]
