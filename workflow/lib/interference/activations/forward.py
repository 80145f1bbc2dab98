"""Images through a network up to one layer: the rows that are kept, and sums over all positions.

Draws are seeded, and sums kept, per block of images, counted from the start of the split. So the
same rows come out in the same buckets with the same sums, however jobs share the blocks.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from interference import compute, progress
from interference.activations.shuffle import Buckets, bucket_count
from interference.activations.standardise import LayerError, Sums
from interference.models.feeding import batch_size, batches, to_network
from interference.models.network import Network
from interference.store.stretch import Stretch

#: Images of a block. A batch is a power of two up to it, so no batch is in two blocks.
BLOCK = 256
#: Streams of random numbers under a job's seed.
TRAIN_POSITIONS, PERMUTATIONS, HELDOUT_POSITIONS, BUCKETS = range(4)
#: Elements that are summed at once on a CPU: float64, they stay in its cache.
PIECE = 2**16


@dataclass(frozen=True)
class Layer:
    """One layer of one network, and what is kept of it.

    available: spatial positions per image; d: channels; positions: how many are kept per image.
    """

    network: Network
    name: str
    available: int
    d: int
    positions: int
    seed: int

    @classmethod
    def of(cls, network: Network, spec: dict, pixels: Stretch) -> "Layer":
        """Return the layer that a spec names; the first image of ``pixels`` tells its shape.

        Raises LayerError where the layer has fewer positions than asked for.
        """
        name, positions = spec["layer"], spec["positions"]
        network.to(compute.device())
        with torch.inference_mode():
            probe = network.activations(to_network(torch.from_numpy(pixels[:1])), name)
        available, d = probe.shape[1:]
        if positions > available:
            raise LayerError(f"positions of {name} is {positions}, an image has {available} there")
        return cls(network, name, available, d, positions, spec["seed"])

    def buckets(self, images: int) -> int:
        """Return the number of buckets that the rows of so many training images are shuffled in."""
        return bucket_count(images * self.positions, self.d)


def forward(layer: Layer, pixels: Stretch) -> Iterator[Tensor]:
    """Yield activations batch by batch: (n, available, d) float32, on the device."""
    total = -(-len(pixels) // batch_size(pixels.shape))
    for x in progress.track(batches(pixels), total=total, label="batches"):
        with torch.inference_mode():
            values = layer.network.activations(x, layer.name)
        yield values


def choose(images: int, available: int, positions: int, generator: torch.Generator) -> Tensor:
    """Draw distinct positions of every image, ascending: (images, positions) int64.

    Sorted, since in which order a partition leaves them is up to the CPU's instructions.
    """
    if positions == available:
        return torch.arange(available).expand(images, available)
    keys = torch.rand(images, available, generator=generator, dtype=torch.float64).numpy()
    chosen = np.argpartition(keys, positions, axis=1)[:, :positions]
    return torch.from_numpy(np.sort(chosen, axis=1))


def sums(values: Tensor) -> Sums:
    """Sum over all axes but the channels, in float64. values: (..., d) float32.

    The sum of squares is finite where all values are: float64 holds the square of any float32.
    """
    rows = values.flatten(0, -2)
    size = max(1, PIECE // rows.shape[1]) if rows.device.type == "cpu" else len(rows)
    powers = torch.zeros(2, rows.shape[1], dtype=torch.float64, device=rows.device)
    for piece in rows.split(size):
        piece = piece.double()
        ones = piece.new_ones(len(piece))
        powers[0] += ones @ piece
        powers[1] += ones @ piece.square_()
    total, squares = powers.cpu().numpy()
    return Sums(len(rows), total, squares)


def keep(
    layer: Layer, pixels: Stretch, stream: int, start: int = 0
) -> Iterator[tuple[int, np.ndarray, Sums]]:
    """Yield per batch (its block, the rows kept, sums over all positions).

    The rows kept are (n, positions, d) float32. pixels: whole blocks of a split, of which the last
    may have fewer images; start: the image of the split that they begin with.
    Raises LayerError where an activation is not finite.
    """
    for values in forward(layer, pixels):
        block, begin = divmod(start, BLOCK)
        if begin == 0:
            generator = compute.generator(layer.seed, stream, block)
            chosen = choose(BLOCK, layer.available, layer.positions, generator)
        n = len(values)
        flat = chosen[begin : begin + n] + layer.available * torch.arange(n)[:, None]
        kept = values.flatten(0, 1)[flat.flatten().to(values.device)]
        batch_sums = sums(values)
        if not np.isfinite(batch_sums.squares).all():
            raise LayerError(f"activations of {layer.name} are not finite: the network is broken")
        yield block, kept.unflatten(0, (n, layer.positions)).cpu().numpy(), batch_sums
        start += n


def collect(layer: Layer, pixels: Stretch, buckets: Buckets, start: int = 0) -> list[Sums]:
    """Put training rows into buckets; return the sums per block. pixels, start: as of `keep`."""
    by_block: dict[int, Sums] = {}
    count = len(buckets.sizes)
    generator = None
    for block, kept, part in keep(layer, pixels, TRAIN_POSITIONS, start):
        if block not in by_block:
            generator = compute.generator(layer.seed, BUCKETS, block)
            by_block[block] = Sums.zero(layer.d)
        by_block[block] += part
        rows = kept.reshape(-1, layer.d)
        buckets.add(rows, torch.randint(count, (len(rows),), generator=generator).numpy())
    return list(by_block.values())


def images_of(images: int, part: int, parts: int) -> tuple[int, int]:
    """Return [start, stop) of the images of one of several jobs, whole blocks of them.

    Raises LayerError where there are fewer blocks than jobs.
    """
    blocks = math.ceil(images / BLOCK)
    if not 1 <= parts <= blocks:
        raise LayerError(
            f"parts is {parts}: {images} training images are {blocks} blocks of {BLOCK}, "
            f"and each part has one at least; allowed is 1 to {blocks}"
        )
    first, last = blocks * part // parts, blocks * (part + 1) // parts
    return first * BLOCK, min(last * BLOCK, images)
