"""Statistics of a layer's channels, in float64, and standardising with them and back."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interference.provenance import InterferenceError
from interference.store.tensors import read_described

#: A deviation below this share of the layer's mean deviation is raised to it: a dead channel
#: must not turn rounding noise into features.
RELATIVE_FLOOR = 1e-3

_HALF = float(np.finfo(np.float16).max)


class LayerError(InterferenceError):
    """A layer lacks what was asked of it, or its activations are constant or not finite."""


@dataclass(frozen=True)
class Sums:
    """Sums over rows. count: of the rows; total, squares: Σx and Σx² per channel, (d,) float64."""

    count: int
    total: np.ndarray
    squares: np.ndarray

    @classmethod
    def zero(cls, d: int) -> "Sums":
        return cls(0, np.zeros(d), np.zeros(d))

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.count + other.count, self.total + other.total, self.squares + other.squares
        )


@dataclass(frozen=True)
class Statistics:
    """Mean and std per channel, (d,) float64. floored: how many std were raised to the floor."""

    mean: np.ndarray
    std: np.ndarray
    floored: int

    @classmethod
    def of(cls, sums: Sums) -> "Statistics":
        """Compute mean and floored deviation from sums. Raises LayerError where nothing varies."""
        mean = sums.total / sums.count
        std = np.sqrt(np.maximum(sums.squares / sums.count - mean**2, 0))
        if not std.any():
            raise LayerError("every channel of the layer is constant: the network is broken")
        floor = RELATIVE_FLOOR * std.mean()
        return cls(mean, np.maximum(std, floor), int((std < floor).sum()))

    @classmethod
    def read(cls, rows: Path) -> "Statistics":
        """Read the statistics beside the manifest of a layer's rows. Raises StoreError."""
        arrays, _ = read_described(rows)
        return cls(arrays["mean"], arrays["std"], floored=0)

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Standardise, (x − mean) / std per channel: (..., d) → (..., d) float32."""
        return ((values - self.mean) / self.std).astype(np.float32)

    def restore(self, standardised: np.ndarray) -> np.ndarray:
        """Return to raw activations, x · std + mean: (..., d) → (..., d) float32."""
        return (standardised * self.std + self.mean).astype(np.float32)

    def half(self, values: np.ndarray) -> tuple[np.ndarray, int]:
        """Standardise as float16: (values (..., d), how many were clipped to its range)."""
        standardised = self.apply(values)
        clipped = int((np.abs(standardised) > _HALF).sum())
        return standardised.clip(-_HALF, _HALF).astype(np.float16), clipped
