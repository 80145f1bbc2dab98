"""The covariance of a layer's rows: its spectrum, and what projections on its directions leave.

A low-dimensional or uneven spectrum is easier for any code, sparse or not. So beside each SAE stand
the best that k fixed directions can do (PCA) and two counts of the directions that matter, with λ_j
the eigenvalues and p_j = λ_j / Σλ: the participation ratio (Σλ)² / Σλ² and the effective rank
exp(−Σ p_j log p_j) (Roy & Vetterli 2007).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from interference.saes.rows import Rows

#: Images projected at once, for a bounded memory.
IMAGES = 100


@dataclass(frozen=True)
class Spectrum:
    """mean: (d,); values: (d,) eigenvalues of the covariance, falling, none below 0;
    vectors: (d, d), a column a direction. All float64."""

    mean: np.ndarray
    values: np.ndarray
    vectors: np.ndarray

    @classmethod
    def of(cls, store: Rows) -> "Spectrum":
        """Of all rows of a store (n, d), in one pass over its chunks: float64 sums, over n.

        Sums are taken about the mean of the first chunk, so that a large mean cancels nothing.
        """
        d = store.shape[1]
        origin = store[: store.chunk_rows].mean(0, dtype=np.float64)
        total, squares = np.zeros(d), np.zeros((d, d))
        for rows in blocks(store):
            centred = rows - origin
            total += centred.sum(0)
            squares += centred.T @ centred
        shift = total / store.shape[0]
        covariance = squares / store.shape[0] - np.outer(shift, shift)
        values, vectors = np.linalg.eigh(covariance)
        return cls(origin + shift, np.maximum(values[::-1], 0), vectors[:, ::-1])

    @property
    def participation_ratio(self) -> float:
        return float(self.values.sum() ** 2 / (self.values**2).sum())

    @property
    def effective_rank(self) -> float:
        share = self.values[self.values > 0] / self.values.sum()
        return float(np.exp(-(share * np.log(share)).sum()))

    def residuals(self, x: np.ndarray) -> np.ndarray:
        """What the first k directions leave of each image: Σ‖x − x̂‖² over its positions.

        x: (images, positions, d). Returns (images, d) float64, a column a k from 1 to d.
        """
        images, _, d = x.shape
        left = np.zeros((images, d))
        for start in range(0, images, IMAGES):
            part = x[start : start + IMAGES]
            projected = (part.reshape(-1, d) - self.mean) @ self.vectors
            energy = (projected**2).reshape(len(part), -1, d).sum(1)
            left[start : start + IMAGES, :-1] = energy[:, :0:-1].cumsum(1)[:, ::-1]
        return left


def blocks(store: Rows) -> Iterator[np.ndarray]:
    """The chunks of a store in order, float64."""
    for start in range(0, store.shape[0], store.chunk_rows):
        yield store[start : start + store.chunk_rows].astype(np.float64)
