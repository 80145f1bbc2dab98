"""A network's prediction and loss for every image."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from interference import compute, progress
from interference.data.read import Images, read_manifest, read_split
from interference.models.feeding import batches
from interference.models.network import Network, NetworkError, load_network
from interference.store.files import read_json
from interference.store.tables import write_table


def score(network: Network, x: Tensor, labels: Tensor) -> dict[str, np.ndarray]:
    """Return prediction (n,) int64 and loss (n,) float32, cross-entropy in nats.

    x: (n, channels, height, width) in [0, 1]. labels: (n,) int64.
    """
    with torch.no_grad():
        logits = network(x)
        losses = cross_entropy(logits, labels, reduction="none")
    return {"prediction": logits.argmax(1).cpu().numpy(), "loss": losses.cpu().numpy()}


def predict(network: Network, images: Images) -> dict[str, np.ndarray]:
    """Return columns image, label, prediction and loss, one row per image. network: in eval mode."""
    parts, labels = [], torch.from_numpy(images.labels).to(compute.device())
    for x in batches(images.pixels):
        y, labels = labels[: len(x)], labels[len(x) :]
        parts.append(score(network, x, y))
    outcome = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    return {"image": images.indices, "label": images.labels, **outcome}


def run(spec: dict, data: Path, model: Path, output: Path) -> None:
    """Write one row per clean evaluation image.

    spec: `Specs.predict`; data, model: manifests of the images and the network; output: Parquet.
    Raises NetworkError where their classes differ in number.
    """
    classes, known = read_json(model)["build"]["classes"], read_manifest(data)["classes"]
    if classes != known:
        raise NetworkError(
            f"{spec['model']['model']} tells {classes} classes apart, the images have {known}; "
            "name the dataset that it was trained on"
        )
    network = load_network(model).to(compute.device())
    table = predict(network, read_split(data, "evaluation"))
    write_table(output, {**spec["model"], **table}, spec)
    progress.say(f"accuracy {(table['prediction'] == table['label']).mean():.4f}")
