"""Images a second of the extraction of a layer's rows, against the bare forward pass, on one thread.

Ours is the whole job: images read from their store, sums, rows kept, shuffled, standardised and
written. The peer is the network alone up to that layer, on the same batches as float32 in memory
already; floor_fraction, too, is of that pass. Both in turns.

    python -m tests.benchmarks.extraction        writes results/benchmarks/extraction.json
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from interference.activations.extract import run as extract
from interference.data.labels import labels_sha256
from interference.data.read import read_split
from interference.models.feeding import batch_size
from interference.models.network import Network
from interference.store.arrays import writing
from interference.store.files import sha256, write_json
from interference.store.tables import write_table
from interference.store.tensors import write_tensors
from tests.benchmarks.rows import fastest, row, write

PEER = "bare forward pass, torch"
#: Positions kept of an image at 224 pixels.
POSITIONS = {"layer2": 64, "layer4": 16}


def write_images(manifest: Path, train: int, size: int) -> None:
    """``train`` random training images, the same for evaluation, and one held-out image, in colour."""
    shape, rng = (train + 1, 3, size, size), np.random.default_rng(0)
    with writing(manifest.with_suffix(".zarr"), shape, "uint8", {}) as writer:
        for _ in range(shape[0]):
            writer.append(rng.integers(0, 256, (1, *shape[1:]), dtype=np.uint8))
    labels = np.zeros(shape[0], np.int64)
    write_table(
        manifest.with_suffix(".parquet"), {"image": np.arange(shape[0]), "label": labels}, {}
    )
    splits = {"train": [0, train], "heldout": [train, train + 1], "evaluation": [0, train]}
    content = {"array": writer.manifest(), "labels_sha256": labels_sha256(labels)}
    content |= {"splits": splits, "classes": 1000}
    write_json(manifest, content)


def write_network(manifest: Path) -> Network:
    """An untrained ResNet-18: what it computes costs what a trained one's does."""
    torch.manual_seed(0)
    build = {"architecture": "resnet18", "stem": "imagenet", "channels": 3, "classes": 1000}
    build |= {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    network = Network(**build).eval().requires_grad_(False)
    weights = manifest.with_suffix(".safetensors")
    write_tensors(weights, {k: v.numpy() for k, v in network.state_dict().items()}, {})
    write_json(manifest, {"build": build, "sha256": sha256(weights)})
    return network


def rows(
    images: int = 512, size: int = 224, positions: dict[str, int] = POSITIONS, rounds: int = 4
) -> Iterator[dict]:
    """One row a layer."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        data, model, output = (Path(folder, f"{name}.json") for name in ("images", "m", "rows"))
        write_images(data, images, size)
        network = write_network(model)
        pixels = torch.from_numpy(read_split(data, "train").pixels[:]).float() / 255
        batches = pixels.split(batch_size(pixels.shape))
        for layer, kept in positions.items():
            spec = {"model": {"model": "m"}, "layer": layer, "positions": kept, "seed": 0}

            def bare(layer: str = layer) -> None:
                with torch.inference_mode():
                    for x in batches:
                        network.activations(x, layer)

            def ours(spec: dict = spec) -> None:
                extract(spec, data, model, output, [])

            best = fastest({"ours": (ours, 1), "peer": (bare, 1)}, rounds)
            share = best["peer"] / best["ours"]
            yield row(
                f"{layer}-{size}px", images / best["ours"], images / best["peer"], PEER, share
            )


if __name__ == "__main__":
    write("extraction", rows())
