"""Classifiers through a bottleneck, as `classify` stores them and `aim` reads them."""

from pathlib import Path

import torch
from torch import Tensor

from interference.data.read import read_split
from interference.rivals.network import Stack
from interference.store.tensors import read_described


def images(data: Path, split: str, classes: int) -> tuple[Tensor, Tensor]:
    """Read a split's images of the first classes: (n, channels, side, side) in [0, 1], (n,) int64.

    Raises StoreError where they are missing or damaged.
    """
    found = read_split(data, split)
    labels = torch.from_numpy(found.labels)
    used = labels < classes
    return torch.from_numpy(found.pixels[:])[used].float() / 255, labels[used]


def read_classifiers(manifest: Path) -> tuple[Stack, list[dict]]:
    """Read the classifiers of a seed, and what each is, as the spec of `classify` has it, with its seed.

    Raises StoreError where weights are missing, or not those that the manifest describes.
    """
    arrays, content = read_described(manifest)
    spec = content["spec"]
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    members = [{**member, "seed": spec["seed"]} for member in spec["members"]]
    return Stack(**tensors, classes=torch.full((len(members),), spec["classes"])), members
