"""A layer under conditions: its activations, clean, attacked, and displaced in it at random.

An attack on pixels displaces a layer's activations by some length in some direction. Whether the
direction matters is what two controls within the layer say: the clean activations displaced as far, at
each position, in a random direction, and in one drawn with the covariance of the layer's own rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference import progress
from interference.activations.standardise import Statistics
from interference.config.values import DISPLACED
from interference.data.read import Images
from interference.models.feeding import batch_size, to_network
from interference.models.network import Network
from interference.store.arrays import Reader, open_array
from interference.store.files import read_json

#: Bytes of activations, under all conditions, of a batch of images at most.
MOST_BYTES = 2**30
#: Held-out images, the first, that say what is usual in a layer.
HELDOUT = 1000


@dataclass(frozen=True)
class Layer:
    """A layer of a network.

    statistics: what its rows were standardised with.
    heldout: (images, positions, d) float32, clean rows, standardised; at most `HELDOUT` images.
    """

    network: Network
    name: str
    statistics: Statistics
    heldout: np.ndarray

    @classmethod
    def read(cls, network: Network, name: str, rows: Path) -> "Layer":
        """Read what is stored of a layer. rows: its rows' manifest. Raises StoreError."""
        store: Reader = open_array(rows.with_suffix(".heldout.zarr"), read_json(rows)["heldout"])
        return cls(network, name, Statistics.read(rows), store[:HELDOUT])

    def activations(self, pixels: np.ndarray) -> Tensor:
        """Return raw activations (n, positions, d) float32 of pixels (n, channels, height, width)."""
        return self.network.activations(to_network(torch.from_numpy(pixels)), self.name)

    def standardised(self, pixels: np.ndarray) -> np.ndarray:
        """Return standardised activations (n, positions, d) float32 of such pixels."""
        return self.statistics.apply(self.activations(pixels).cpu().numpy())

    def batches(self, images: Images, conditions: int) -> Iterator[slice]:
        """Yield the images of every batch: a batch of the network, or fewer to spare memory.

        conditions: under how many the layer's activations are in memory at once.
        """
        first = self.activations(images.pixels[:1])
        most = max(1, MOST_BYTES // (conditions * first.nbytes))
        size = min(batch_size(images.pixels.shape), most)
        starts = range(0, len(images.labels), size)
        for start in progress.track(starts, total=len(starts), label="batches"):
            yield slice(start, min(start + size, len(images.labels)))

    @cached_property
    def _rows(self) -> np.ndarray:
        return self.heldout.reshape(-1, self.heldout.shape[2])

    @cached_property
    def mean(self) -> np.ndarray:
        """Mean of the held-out rows, (d,) float64."""
        return self._rows.mean(0, dtype=np.float64)

    @cached_property
    def usual(self) -> tuple[np.ndarray, np.ndarray]:
        """The least and the largest value per channel of the held-out rows, (d,) float32 each."""
        return self._rows.min(0), self._rows.max(0)

    @cached_property
    def _spread(self) -> np.ndarray:
        """(d, d), which turns white noise into noise with the covariance of the held-out rows."""
        values, vectors = np.linalg.eigh(np.cov(self._rows, rowvar=False, dtype=np.float64))
        return np.sqrt(np.maximum(values, 0))[:, None] * vectors.T

    def displaced(
        self, clean: np.ndarray, attacked: np.ndarray, control: str, images: np.ndarray, seed: int
    ) -> np.ndarray:
        """Displace clean rows as far as an attack does, in other directions: (n, positions, d) float32.

        clean, attacked: (n, positions, d) float32, standardised. control: a name of `DISPLACED`.
        images: (n,) positions in the store; an image has the same directions under every attack.
        """
        length = np.linalg.norm(attacked - clean, axis=2, keepdims=True)
        stream = DISPLACED.index(control)
        noise = np.stack(
            [
                np.random.default_rng([seed, stream, image]).standard_normal(clean.shape[1:])
                for image in images.tolist()
            ]
        )
        if control == "displaced-covariance":
            noise = noise @ self._spread
        return (clean + length * noise / np.linalg.norm(noise, axis=2, keepdims=True)).astype(
            np.float32
        )

    def moved(self, clean: np.ndarray, values: np.ndarray) -> dict[str, np.ndarray]:
        """Measure the activations of images under a condition: name → (n,) float64.

        clean, values: (n, positions, d) float32, standardised.

        - length, moved: root mean square over positions of ‖x‖ and of ‖x − clean x‖, in units of the
          deviation of a channel.
        - outside: share of values beyond the range of their channel on held-out images.
        - deviation: Σ‖x − x̄‖² over positions, x̄ the held-out mean.
        """
        low, high = self.usual
        return {
            "length": np.sqrt(_squares(values).mean(1)),
            "moved": np.sqrt(_squares(values - clean).mean(1)),
            "outside": ((values < low) | (values > high)).mean((1, 2)),
            "deviation": _squares(values - self.mean).sum(1),
        }


def _squares(values: np.ndarray) -> np.ndarray:
    """‖x‖² at each position, (n, positions) float64."""
    return np.einsum("ipd,ipd->ip", values, values, dtype=np.float64)
