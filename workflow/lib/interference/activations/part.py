"""A share of the training images of one layer, where several jobs share the forward pass.

A part holds raw rows, bucket by bucket, and sums per block; from all parts `extract` makes the same
bytes as it would alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interference import progress
from interference.activations.forward import Layer, collect, images_of
from interference.activations.shuffle import BUCKET_BYTES, buckets_beside
from interference.activations.standardise import Sums
from interference.data.read import read_split
from interference.models.network import load_network
from interference.store import space
from interference.store.arrays import Reader, bytes_on_disk, open_array, writing
from interference.store.files import StoreError, sha256, write_json
from interference.store.tensors import read_described, write_tensors

#: What a part's spec shares with that of the rows.
SHARED = ("model", "layer", "positions", "seed")


def run(spec: dict, data: Path, model: Path, output: Path) -> None:
    """Extract one part's raw rows and sums.

    spec: `Specs.part`; data, model: manifests of the images and the network; output: the manifest,
    and beside it
    - .zarr (rows, d) float32, raw, by bucket and within a bucket by image;
    - .safetensors: count (blocks,) int64, total and squares (blocks, d) float64.
    Raises LayerError where there are fewer blocks of images than parts.
    """
    pixels = read_split(data, "train").pixels
    start, stop = images_of(len(pixels), spec["part"], spec["parts"])
    layer = Layer.of(load_network(model), spec, pixels)
    count = layer.buckets(len(pixels))
    shape = ((stop - start) * layer.positions, layer.d)
    stored = bytes_on_disk(shape, "float32")
    space.require(output.parent, stored + BUCKET_BYTES)
    progress.say(f"{shape[0]} rows of {layer.d} channels, {progress.in_bytes(stored)}")
    store = output.with_suffix(".zarr")
    with buckets_beside(output, count, layer.d) as buckets:
        sums = collect(layer, pixels.part(start, stop), buckets, start)
        with writing(store, shape, "float32", spec) as writer:
            for bucket in range(count):
                writer.append(buckets.take(bucket))
        sizes = buckets.sizes.tolist()
    space.check(store, stored)
    arrays = {name: np.stack([getattr(s, name) for s in sums]) for name in ("total", "squares")}
    arrays["count"] = np.array([s.count for s in sums])
    tensors = output.with_suffix(".safetensors")
    write_tensors(tensors, arrays, spec)
    manifest = {"spec": spec, "rows": writer.manifest(), "bytes": stored, "sha256": sha256(tensors)}
    write_json(output, {**manifest, "images": [start, stop], "buckets": sizes})


@dataclass(frozen=True)
class Parts:
    """All parts of a layer, in order: their rows by bucket, and the sums of every block.

    ends: (parts, buckets + 1) int64, where a part's buckets begin and end in its store.
    """

    stores: list[Reader]
    ends: np.ndarray
    sums: list[Sums]

    def take(self, bucket: int) -> np.ndarray:
        """Read the rows of a bucket: (n, d) float32, in the order of the images."""
        return np.concatenate(
            [
                store[int(ends[bucket]) : int(ends[bucket + 1])]
                for store, ends in zip(self.stores, self.ends, strict=True)
            ]
        )


def read_parts(manifests: Sequence[Path], spec: dict, images: int, buckets: int) -> Parts:
    """Read all the parts of the rows that ``spec`` names.

    Raises StoreError where one is of other rows, is missing or out of order.
    """
    stores, ends, sums, done = [], [], [], 0
    for path in manifests:
        arrays, manifest = read_described(path)
        for name in SHARED:
            if manifest["spec"][name] != spec[name]:
                raise StoreError(
                    f"{path}: {name} is {manifest['spec'][name]}, the job's is {spec[name]}"
                )
        if manifest["images"][0] != done or len(manifest["buckets"]) != buckets:
            raise StoreError(
                f"{path} has images {manifest['images']} in {len(manifest['buckets'])} buckets, "
                f"expected is the part from image {done} on in {buckets}"
            )
        done = manifest["images"][1]
        stores.append(open_array(path.with_suffix(".zarr"), manifest["rows"]))
        ends.append(np.cumsum([0, *manifest["buckets"]]))
        columns = (arrays["count"].tolist(), arrays["total"], arrays["squares"])
        sums += [Sums(*block) for block in zip(*columns, strict=True)]
    if done != images:
        raise StoreError(f"the parts have the images up to {done} of {images}: give all of them")
    return Parts(stores, np.stack(ends), sums)
