"""What a network makes of images: a prediction and a loss for each."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from interference import compute
from interference.data.read import Images
from interference.models.feeding import batches
from interference.models.network import Network


def score(network: Network, x: Tensor, labels: Tensor) -> dict[str, np.ndarray]:
    """Prediction and cross-entropy of each image. x: (n, channels, height, width) in [0, 1]."""
    with torch.no_grad():
        logits = network(x)
        losses = cross_entropy(logits, labels, reduction="none")
    return {"prediction": logits.argmax(1).cpu().numpy(), "loss": losses.cpu().numpy()}


def predict(network: Network, images: Images) -> dict[str, np.ndarray]:
    """One row an image, in order: image, label, prediction, loss. network: in eval mode."""
    parts, labels = [], torch.from_numpy(images.labels).to(compute.device())
    for x in batches(images.pixels):
        y, labels = labels[: len(x)], labels[len(x) :]
        parts.append(score(network, x, y))
    outcome = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    return {"image": images.indices, "label": images.labels, **outcome}
