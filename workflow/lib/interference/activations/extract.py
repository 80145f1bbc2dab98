"""Activations of one layer on clean images: rows to train SAEs on, and rows to score them on.

A row is one spatial position of one image. Rows are standardised per channel, with the mean and
deviation over all positions of all training images, before they are cast to float16. Training
rows are shuffled once, here, so that a reader that takes whole chunks sees a random order.

The statistics are known only after the last image, so raw rows wait in buckets on disk: memory does
not grow with the number of images.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from operator import add
from pathlib import Path

import torch

from interference import compute, progress
from interference.activations.forward import (
    HELDOUT_POSITIONS,
    PERMUTATIONS,
    Layer,
    collect,
    keep,
)
from interference.activations.part import Parts, read_parts
from interference.activations.shuffle import Buckets, buckets_beside
from interference.activations.standardise import Statistics, Sums
from interference.data.read import read_split
from interference.models.network import load_network
from interference.store import space
from interference.store.arrays import Writer, bytes_on_disk, writing
from interference.store.files import sha256, write_json
from interference.store.stretch import Stretch
from interference.store.tensors import write_tensors

#: Elements that are standardised at once.
PIECE = 2**18


def run(spec: dict, data: Path, model: Path, output: Path, parts: Sequence[Path] = ()) -> None:
    """Extract, standardise and store one layer's training and held-out rows.

    spec: `Specs.extract`; data, model: manifests of the images and the network; parts: manifests of
    `part`, all and in order, or none: then the training images pass through the network here.
    output: the manifest, and beside it
    - .train.zarr (rows, d) float16, standardised, shuffled;
    - .heldout.zarr (images, positions, d) float32, standardised, in order;
    - .safetensors: mean and std (d,) float64.
    Raises LayerError where the layer has too few positions or its activations are of no use, and
    StoreError where an input is damaged, parts are missing or the disk is too small.
    """
    train, heldout = (read_split(data, split).pixels for split in ("train", "heldout"))
    layer = Layer.of(load_network(model), spec, train)
    rows = (len(train) * layer.positions, layer.d)
    scored = (len(heldout), layer.positions, layer.d)
    stored = {"train": bytes_on_disk(rows, "float16"), "heldout": bytes_on_disk(scored, "float32")}
    stores = {name: output.with_suffix(f".{name}.zarr") for name in stored}
    count = layer.buckets(len(train))
    waiting = 4 * rows[0] * layer.d if count > 1 and not parts else 0
    need = max(waiting, sum(stored.values()))
    space.require(output.parent, need)
    progress.say(
        f"{rows[0]} training and {scored[0] * scored[1]} held-out rows of {layer.d} channels: "
        f"{progress.in_bytes(sum(stored.values()))}, while they are made {progress.in_bytes(need)}"
    )
    with (
        writing(stores["train"], rows, "float16", spec) as train_writer,
        _raw(layer, train, output, parts, spec) as (raw, sums),
    ):
        statistics = Statistics.of(reduce(add, sums))
        overflowed = sum(
            _write_bucket(train_writer, statistics, raw, bucket, layer.seed)
            for bucket in range(count)
        )
    with writing(stores["heldout"], scored, "float32", spec) as heldout_writer:
        for _, kept, _ in keep(layer, heldout, HELDOUT_POSITIONS):
            heldout_writer.append(statistics.apply(kept))
    for name, store in stores.items():
        space.check(store, stored[name])
    statistics_path = output.with_suffix(".safetensors")
    write_tensors(statistics_path, {"mean": statistics.mean, "std": statistics.std}, spec)
    write_json(
        output,
        {
            "spec": spec,
            "train": train_writer.manifest(),
            "heldout": heldout_writer.manifest(),
            "bytes": stored,
            "sha256": sha256(statistics_path),
            "images": len(train),
            "float16_overflows": overflowed,
            "floored_channels": statistics.floored,
        },
    )
    progress.say(f"{rows[0]} rows of {layer.d} channels, {statistics.floored} floored")


@contextmanager
def _raw(
    layer: Layer, train: Stretch, output: Path, parts: Sequence[Path], spec: dict
) -> Iterator[tuple[Buckets | Parts, list[Sums]]]:
    """Yield (raw training rows by bucket, sums per block), from the parts or from the images."""
    count = layer.buckets(len(train))
    if parts:
        every = read_parts(parts, spec, len(train), count)
        yield every, every.sums
        return
    with buckets_beside(output, count, layer.d) as buckets:
        yield buckets, collect(layer, train, buckets)


def _write_bucket(
    writer: Writer, statistics: Statistics, raw: Buckets | Parts, bucket: int, seed: int
) -> int:
    """Shuffle, standardise and write a bucket's rows; return how many values overflowed."""
    rows = raw.take(bucket)
    order = torch.randperm(len(rows), generator=compute.generator(seed, PERMUTATIONS, bucket))
    overflowed = 0
    for piece in order.split(max(1, PIECE // rows.shape[1])):
        half, clipped = statistics.half(rows[piece.numpy()])
        writer.append(half)
        overflowed += clipped
    return overflowed
