"""The trained stack as it is stored."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from interference.store.tensors import read_described

#: Training mode of the models that others are measured against.
REFERENCE = "clean"

Columns = dict[str, np.ndarray]


def read_stack(models: Path) -> tuple[Tensor, Tensor, Columns]:
    """The stack of a manifest: W (S, m, n), b (S, n), and training, density, seed, each (S,).

    Raises StoreError where the weights are missing, or not those that the manifest describes.
    """
    tensors, manifest = read_described(models)
    index = {
        "training": np.array(manifest["modes"])[tensors["mode"]],
        "density": tensors["density"],
        "seed": tensors["seed"],
    }
    return torch.from_numpy(tensors["W"]), torch.from_numpy(tensors["b"]), index
