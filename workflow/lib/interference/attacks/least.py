"""The step that flips a network's predictions by least changes, beside how far images of other classes are.

Every image is flipped away from what the network takes it for, right or wrong, so that all networks are
asked the same of the same images.
"""

from pathlib import Path

import numpy as np
import torch

from interference import compute
from interference.attacks.minimum import least
from interference.attacks.victim import Victim
from interference.data.read import read_split
from interference.models.feeding import batches
from interference.models.network import load_network
from interference.progress import say
from interference.store.tables import read_columns, write_table

#: Evaluation images, the first, among which the nearest one is looked for that is taken for another class.
NEIGHBOURS = 2000


def distances(x: np.ndarray, others: np.ndarray) -> np.ndarray:
    """L2 distances of images, in pixel units: (n, ...), (m, ...) in [0, 1] → (n, m) float64."""
    a, b = (part.reshape(len(part), -1).astype(np.float64) for part in (x, others))
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.sqrt(squares.clip(min=0))


def run(spec: dict, data: Path, model: Path, predictions: Path, output: Path) -> None:
    """Flip the first evaluation images; write ``output``, one row per image.

    spec: `Specs.least`; data, model: manifests of the images and the network; predictions: of the clean
    evaluation images.
    """
    network = load_network(model).to(compute.device())
    images = read_split(data, "evaluation", spec["images"])
    taken = read_columns(predictions)["prediction"][:NEIGHBOURS]
    own = taken[: len(images.pixels)]
    radii, attacked, labels = [], [], torch.from_numpy(own).to(compute.device())
    for x in batches(images.pixels):
        y, labels = labels[: len(x)], labels[len(x) :]
        radii.append(least(Victim(network, y), x, steps=spec["steps"]).radius.cpu().numpy())
        attacked.append(x.cpu().numpy())
    radius, clean = np.concatenate(radii), np.concatenate(attacked)
    away = [
        distances(clean, x.cpu().numpy())
        for x in batches(read_split(data, "evaluation", len(taken)).pixels)
    ]
    others = np.where(own[:, None] == taken, np.inf, np.concatenate(away, axis=1))
    write_table(
        output,
        {
            **spec["model"],
            "image": images.indices,
            "label": images.labels,
            "prediction": own,
            "radius": radius,
            "nearest": others.min(1).astype(np.float32),
        },
        spec,
    )
    say(f"median radius {np.median(radius):.3f}, of {len(radius)} images")
