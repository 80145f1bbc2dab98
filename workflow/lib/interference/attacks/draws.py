"""Random numbers of an attack, one stream per image.

A stream hangs on the seed, the radius and the image, so that what an image gets does not hang on the
batch that it is in, nor on which images have left it.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from interference import compute
from interference.attacks.norms import uniform_in_ball


@dataclass(frozen=True)
class Draws:
    """Streams of the images of a batch. Every method goes on in each stream; what it returns is on
    ``device``."""

    streams: list[Generator]
    device: torch.device

    @classmethod
    def of(cls, seed: int, epsilon: float, images: Sequence[int], device: torch.device) -> "Draws":
        """Begin a stream per image. images: positions in the image store."""
        (radius,) = struct.unpack("<Q", struct.pack("<d", epsilon))
        return cls([compute.generator(seed, radius, image) for image in images], device)

    def select(self, rows: Tensor) -> "Draws":
        """Return the streams of some of the images; they go on where they were. rows: (m,) int64."""
        return Draws([self.streams[row] for row in rows.tolist()], self.device)

    def uniform(self, *shape: int) -> Tensor:
        """Return uniform numbers in [0, 1): (n, *shape) float32."""
        return self._each(lambda stream: torch.rand(shape, generator=stream))

    def normal(self, *shape: int) -> Tensor:
        """Return standard Gaussian numbers: (n, *shape) float32."""
        return self._each(lambda stream: torch.randn(shape, generator=stream))

    def in_ball(self, shape: Sequence[int], epsilon: float, norm: str) -> Tensor:
        """Return a uniform point of the ball per image: (n, *shape) float32."""
        like = torch.zeros(1, *shape)
        return self._each(lambda stream: uniform_in_ball(like, epsilon, norm, stream)[0])

    def _each(self, draw: Callable[[Generator], Tensor]) -> Tensor:
        return torch.stack([draw(stream) for stream in self.streams]).to(self.device)
