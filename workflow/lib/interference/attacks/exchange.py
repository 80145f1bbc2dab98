"""The step that shows every network's adversarial images to all networks, and asks how alike these are.

The preprint expects attacks to pass between networks where interference is alike, which geometry shared on
clean images may foretell.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference import compute
from interference.attacks.conditions import checked, pixels_at, read_attack
from interference.attacks.kinship import cka, gram
from interference.data.read import read_split
from interference.models.feeding import batches
from interference.models.network import Network, load_network
from interference.progress import say, track
from interference.store.files import StoreError
from interference.store.stretch import Stretch
from interference.store.tables import write_table


def run(
    spec: dict, data: Path, models: Sequence[Path], attacks: Sequence[Path], output: Path
) -> None:
    """Write ``output``, one row per source, target and image; and beside it .similarity.parquet, one row
    per two networks and layer.

    spec: `Specs.exchange`; data: manifest of the images; models, attacks: manifests of the networks and of
    the attacks on them, in the spec's order of networks.
    Raises StoreError where an input is not of the spec's network or attack.
    """
    networks = spec["models"]
    if not len(models) == len(attacks) == len(networks):
        raise StoreError(
            f"found {len(models)} networks and {len(attacks)} attacks, not {len(networks)}"
        )
    images = read_split(data, "evaluation", spec["images"])
    sources = [_attacked(path, model, spec) for path, model in zip(attacks, networks, strict=True)]
    names = [model["model"] for model in networks]
    parts: list[dict] = []
    grams: list[dict[str, Tensor]] = []
    paired = zip(models, networks, strict=True)
    for path, model in track(paired, total=len(networks), label="networks"):
        checked(path, {"model": model})
        network = load_network(path).to(compute.device())
        for source, pixels in zip(names, sources, strict=True):
            parts.append({
                "source": np.full(len(images.indices), source),
                "target": np.full(len(images.indices), model["model"]),
                "image": images.indices,
                "label": images.labels,
                "prediction": predicted(network, pixels),
            })  # fmt: skip
        grams.append(dict(geometry(network, images.pixels, spec["layers"])))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    write_table(output, columns, spec)
    rows = [
        (names[i], names[j], layer, cka(grams[i][layer], grams[j][layer]))
        for i in range(len(names))
        for j in range(i)
        for layer in spec["layers"]
    ]
    alike = dict(
        zip(("one", "other", "layer", "cka"), map(list, zip(*rows, strict=True)), strict=True)
    )
    write_table(output.with_suffix(".similarity.parquet"), alike, spec)
    say(f"{len(parts)} passes, mean CKA {np.mean(alike['cka']):.3f}")


def _attacked(path: Path, model: dict, spec: dict) -> Stretch:
    """Return the first images of one network's attack. Raises StoreError."""
    made = checked(path, {"model": model, "attack": spec["attack"]})
    conditions = read_attack(path, made["spec"]["images"])
    return pixels_at(conditions, spec["epsilon"]).part(0, spec["images"])


def predicted(network: Network, pixels: Stretch) -> np.ndarray:
    """Return what a network takes images for: (n,) int64."""
    with torch.inference_mode():
        return np.concatenate([network(x).argmax(1).cpu().numpy() for x in batches(pixels)])


def geometry(
    network: Network, pixels: Stretch, layers: Sequence[str]
) -> Iterator[tuple[str, Tensor]]:
    """Yield each layer with the inner products of the images there (`kinship.gram`)."""
    found: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    with torch.inference_mode():
        for x in batches(pixels):
            for layer, activations in network.hooks(x, layers):
                found[layer].append(activations)
    for layer, parts in found.items():
        yield layer, gram(torch.cat(parts)).cpu()
