"""Activations of one layer on clean images: rows to train SAEs on, and rows to score them on.

A row is one spatial position of one image. Rows are standardised a channel with the mean and
deviation over all positions of all training images, before they are cast to float16. Training
rows are shuffled once, here, so that a reader that takes whole chunks sees a random order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference import compute, progress
from interference.activations.standardise import Statistics, Sums
from interference.data.read import Images, read_split
from interference.models.network import Network, load_network
from interference.store.arrays import writing
from interference.store.files import StoreError, sha256, write_json
from interference.store.tensors import write_tensors

BATCH_SIZE = 256


@dataclass(frozen=True)
class Rows:
    """values: (images, positions kept, d) float32, raw; sums: over all positions."""

    values: np.ndarray
    sums: Sums


def batches(network: Network, pixels: Tensor) -> Iterator[Tensor]:
    """Images as the network takes them, batch by batch, on its device and in inference mode.

    pixels: (images, channels, height, width), uint8 or float32 in [0, 1] → (n, ...) in [0, 1].
    """
    device = compute.device()
    network.to(device)
    with torch.inference_mode():
        for start in range(0, len(pixels), BATCH_SIZE):
            batch = pixels[start : start + BATCH_SIZE].to(device)
            yield batch.float() / 255 if batch.dtype == torch.uint8 else batch


def forward(network: Network, pixels: Tensor, layer: str) -> Iterator[Tensor]:
    """Activations of a layer, batch by batch: (n, positions, d) float32. pixels: of `batches`."""
    for x in batches(network, pixels):
        yield network.activations(x, layer).cpu()


def choose(batch: Tensor, positions: int, generator: torch.Generator) -> Tensor:
    """Keep ``positions`` random positions of each image: (n, all, d) → (n, positions, d)."""
    n, available, d = batch.shape
    if positions == available:
        return batch
    kept = torch.rand(n, available, generator=generator).argsort(1)[:, :positions]
    return batch.gather(1, kept.unsqueeze(2).expand(n, positions, d))


def collect(
    network: Network, images: Images, layer: str, positions: int, generator: torch.Generator
) -> Rows:
    """Rows of a split, and the sums that its statistics need. Raises StoreError on NaN."""
    pixels = torch.from_numpy(images.pixels)
    total = -(-len(pixels) // BATCH_SIZE)
    values, sums = [], None
    for batch in progress.track(forward(network, pixels, layer), total=total, label="batches"):
        if not bool(batch.isfinite().all()):
            raise StoreError(f"activations of {layer} are not finite: the network is broken")
        sums = (sums or Sums.zero(batch.shape[2])).add(batch.numpy())
        values.append(choose(batch, positions, generator))
    return Rows(torch.cat(values).numpy(), sums)


def extract(spec: dict, data: Path, model: Path, output: Path) -> None:
    """The job. Beside the manifest ``output`` it writes

    - .train.zarr (rows, d) float16, standardised, shuffled;
    - .heldout.zarr (images, positions, d) float32, standardised, in order;
    - .safetensors: mean and deviation, float64 (d,).
    """
    network = load_network(model)
    layer, positions, seed = spec["layer"], spec["positions"], spec["seed"]
    train = collect(
        network, read_split(data, "train"), layer, positions, compute.generator(seed, 0)
    )
    statistics = Statistics.of(train.sums)
    rows = train.values.reshape(-1, train.values.shape[2])
    order = torch.randperm(len(rows), generator=compute.generator(seed, 1)).numpy()
    overflowed = 0
    with writing(output.with_suffix(".train.zarr"), rows.shape, "float16") as train_writer:
        for part in np.array_split(order, max(1, len(order) // 65536)):
            half, clipped = statistics.half(rows[part])
            train_writer.append(half)
            overflowed += clipped
    heldout = collect(
        network, read_split(data, "heldout"), layer, positions, compute.generator(seed, 2)
    )
    shape = heldout.values.shape
    with writing(output.with_suffix(".heldout.zarr"), shape, "float32") as heldout_writer:
        heldout_writer.append(statistics.apply(heldout.values))
    statistics_path = output.with_suffix(".safetensors")
    write_tensors(statistics_path, {"mean": statistics.mean, "std": statistics.std}, spec)
    write_json(
        output,
        {
            "spec": spec,
            "train": train_writer.manifest(),
            "heldout": heldout_writer.manifest(),
            "sha256": sha256(statistics_path),
            "images": len(train.values),
            "float16_overflows": overflowed,
            "floored_channels": statistics.floored,
        },
    )
    progress.say(f"{len(rows)} rows of {shape[2]} channels, {statistics.floored} floored")
