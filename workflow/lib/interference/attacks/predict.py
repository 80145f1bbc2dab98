"""Clean predictions of one network on the whole evaluation split."""

from pathlib import Path

import numpy as np
import torch

from interference import compute
from interference.attacks.craft import BATCH_SIZE, score
from interference.data.read import read_split
from interference.models.network import load_network
from interference.store.tables import write_table


def predict(spec: dict, data: Path, model: Path, output: Path) -> None:
    """The job: one row an evaluation image: its label, prediction and loss."""
    device = compute.device()
    network = load_network(model).to(device)
    images = read_split(data, "evaluation")
    parts = []
    for start in range(0, len(images.pixels), BATCH_SIZE):
        part = slice(start, start + BATCH_SIZE)
        x = torch.from_numpy(images.pixels[part]).to(device).float() / 255
        parts.append(score(network, x, torch.from_numpy(images.labels[part]).to(device)))
    outcome = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    write_table(
        output,
        {
            **spec["model"],
            "image": images.indices,
            "label": images.labels,
            **outcome,
        },
    )
