"""Activations of one layer on the evaluation images: clean, and under every attack.

All positions, float32, standardised with the statistics of the clean training images, so that L0
under attack needs no forward pass.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from interference import progress
from interference.activations.extract import forward
from interference.activations.standardise import Statistics
from interference.data.read import read_split
from interference.models.network import load_network
from interference.store.arrays import Reader, open_array, writing
from interference.store.files import StoreError, read_json, write_json
from interference.store.tensors import read_described


def extract_attacked(
    spec: dict, data: Path, model: Path, rows: Path, attacks: list[Path], output: Path
) -> None:
    """The job: (conditions × images, positions, d); the manifest lists the conditions in order.

    rows: manifest of the clean rows, for the statistics; attacks: manifests in the spec's order.
    """
    network = load_network(model)
    arrays, _ = read_described(rows)
    statistics = Statistics(arrays["mean"], arrays["std"], floored=0)
    clean = read_split(data, "evaluation", spec["images"]).pixels
    attacked = dict(zip(spec["attacks"], map(_open, spec["attacks"], attacks), strict=True))
    conditions = [{"attack": "clean", "epsilon": 0.0}]
    conditions += [
        {"attack": name, "epsilon": epsilon}
        for name, (_, epsilons) in attacked.items()
        for epsilon in epsilons
    ]

    def pixels() -> Iterator[np.ndarray]:
        yield clean
        for images, epsilons in attacked.values():
            for i in range(len(epsilons)):
                yield images[i * len(clean) : (i + 1) * len(clean)]

    probe = next(forward(network, torch.from_numpy(clean[:1]), spec["layer"]))
    shape = (len(conditions) * len(clean), *probe.shape[1:])
    with writing(output.with_suffix(".zarr"), shape, "float32") as writer:
        for images in progress.track(pixels(), total=len(conditions), label="conditions"):
            for values in forward(network, torch.from_numpy(images), spec["layer"]):
                writer.append(statistics.apply(values.numpy()))
    write_json(output, {"spec": spec, "array": writer.manifest(), "conditions": conditions})


def _open(name: str, manifest_path: Path) -> tuple[Reader, list[float]]:
    """Adversarial images (epsilons × images, ...) of one attack, and its epsilons."""
    manifest = read_json(manifest_path)
    if manifest["spec"]["attack"] != name:
        raise StoreError(f"{manifest_path} holds {manifest['spec']['attack']}, not {name}")
    return open_array(manifest_path.with_suffix(".zarr"), manifest["array"]), manifest["epsilons"]
