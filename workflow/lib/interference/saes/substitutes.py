"""Rows that stand in for a layer's own, to tell what its covariance alone does to an SAE.

Whitened rows have the layer's structure without its covariance: x ↦ Λ^(−1/2) Vᵀ (x − mean), so
that their covariance is the identity. Gaussian rows have its mean and covariance and nothing else,
so no sparse features: mean + V Λ^(1/2) z with z standard normal.

Both are made chunk by chunk when they are read, so neither needs room in memory or on disk, and
offer what training takes of a store: a path to name, a shape, the rows of a chunk, and slices.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from interference.saes.rows import Rows
from interference.saes.spectrum import Spectrum

#: Whitening drops a direction whose eigenvalue is below this share of their mean. It would blow up
#: rounding noise, of which float16 rows have up to 1e-7 of their mean square.
RELATIVE_FLOOR = 1e-5
#: What a Gaussian row is drawn for; with the number of its chunk, the key of the generator.
TRAIN, HELDOUT = 0, 1


class Whitened:
    """The rows of a store (n, d), whitened: (n, kept)."""

    def __init__(self, store: Rows, spectrum: Spectrum):
        self._store, self._mean = store, spectrum.mean
        kept = spectrum.values > RELATIVE_FLOOR * spectrum.values.mean()
        self._map = spectrum.vectors[:, kept] / np.sqrt(spectrum.values[kept])
        self.path, self.chunk_rows = Path(f"{store.path} (whitened)"), store.chunk_rows
        self.shape = (store.shape[0], self._map.shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self.apply(self._store[rows])

    def apply(self, x: np.ndarray) -> np.ndarray:
        """(..., d) → (..., kept) float32."""
        return ((x - self._mean) @ self._map).astype(np.float32)


class Gaussian:
    """As many rows as a store has, (n, d), of a Gaussian with its mean and covariance.

    A row depends on its number alone, however it is sliced; the draws z are the same for every
    network and SAE seed.
    """

    def __init__(self, store: Rows, spectrum: Spectrum):
        self._mean, self._map = spectrum.mean, (spectrum.vectors * np.sqrt(spectrum.values)).T
        self.path, self.chunk_rows = Path(f"{store.path} (Gaussian)"), store.chunk_rows
        self.shape = store.shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, step = rows.indices(len(self))
        first = start // self.chunk_rows
        parts = list(self._chunks(first, -(-stop // self.chunk_rows)))
        whole = np.concatenate(parts) if parts else np.zeros((0, self.shape[1]), np.float32)
        offset = first * self.chunk_rows
        return whole[start - offset : max(start, stop) - offset : step]

    def _chunks(self, first: int, last: int) -> Iterator[np.ndarray]:
        for i in range(first, last):
            size = min(self.chunk_rows, len(self) - i * self.chunk_rows)
            yield self._draw([TRAIN, i], (size, self.shape[1]))

    def heldout(self, shape: tuple[int, int, int]) -> np.ndarray:
        """Rows of the same Gaussian that are not among these: (images, positions, d) float32."""
        return self._draw([HELDOUT], shape)

    def _draw(self, key: list[int], shape: tuple[int, ...]) -> np.ndarray:
        z = np.random.default_rng(key).standard_normal(shape)
        return (z @ self._map + self._mean).astype(np.float32)
