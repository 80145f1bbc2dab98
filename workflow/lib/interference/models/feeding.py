"""Batches of images for a network: read, brought to the device, scaled to [0, 1].

For a GPU a thread reads the next batches while the network works on this one; they wait in pinned
memory, and are copied while the previous batch's kernels run. On a CPU, where a job has one core,
such a thread took more time than it saved (measured, 28 and 224 pixels), so there is none.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from interference import compute
from interference.prefetch import ahead
from interference.store.stretch import Stretch

#: Images per batch at most, and bytes of their pixels as float32; a network's first layers take
#: some ten times as much. This comes to 256 images of 28 x 28 pixels, or 32 of 224 x 224.
MOST_IMAGES, MOST_BYTES = 256, 2**25


def batch_size(shape: tuple[int, ...]) -> int:
    """Return the images per batch, a power of two. shape: (any number, channels, height, width)."""
    images = max(1, MOST_BYTES // (4 * math.prod(shape[1:])))
    return min(MOST_IMAGES, 1 << (images.bit_length() - 1))


def to_network(pixels: Tensor) -> Tensor:
    """Bring pixels, uint8 or float32 in [0, 1], to the device as float32 in [0, 1]."""
    pixels = pixels.to(compute.device(), non_blocking=True)
    return pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels


def batches(pixels: Stretch) -> Iterator[Tensor]:
    """Yield a store's images, `batch_size` at a time, on the device, as float32 in [0, 1].

    pixels: (n, channels, height, width), uint8 or float32 in [0, 1].
    """
    read: Iterator[Tensor] = map(torch.from_numpy, pixels.batches(batch_size(pixels.shape)))
    if compute.device().type == "cuda":
        read = ahead(batch.pin_memory() for batch in read)
    return map(to_network, read)
