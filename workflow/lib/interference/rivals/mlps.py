"""MLPs of most classes and the SAE of each one's units, as `count` stores them and `overlap` reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from interference.rivals.network import Stack
from interference.rivals.tied import Tied
from interference.store.files import sha256, write_json
from interference.store.tensors import read_described, write_tensors

#: Arrays of one: of its network (`network.Stack`), and of its SAE (`tied.Tied`).
PARTS = ("U", "u", "W", "b", "E", "e")


@dataclass(frozen=True)
class Mlp:
    """width: hidden units. epsilon: that it was trained at. network, sae: stacks of one; the SAE learned
    from its units on clean images."""

    width: int
    epsilon: float
    seed: int
    network: Stack
    sae: Tied


def write_mlps(manifest: Path, mlps: Sequence[Mlp], spec: dict) -> None:
    """Write the weights of a seed's MLPs and SAEs beside ``manifest`` (.safetensors), and then this (.json)."""
    arrays = {
        f"{place}.{name}": value.numpy()
        for place, mlp in enumerate(mlps)
        for name, value in {**mlp.network.parameters(), "E": mlp.sae.E, "e": mlp.sae.e}.items()
    }
    members = [{"width": mlp.width, "epsilon": mlp.epsilon, "seed": mlp.seed} for mlp in mlps]
    weights = manifest.with_suffix(".safetensors")
    write_tensors(weights, arrays, spec)
    write_json(manifest, {"spec": spec, "members": members, "sha256": sha256(weights)})


def read_mlps(manifest: Path) -> list[Mlp]:
    """Read the MLPs of a seed.

    Raises StoreError where weights are missing, or not those that the manifest describes.
    """
    arrays, content = read_described(manifest)
    classes = torch.tensor([max(content["spec"]["classes"])])
    found = []
    for place, member in enumerate(content["members"]):
        U, u, W, b, E, e = (torch.from_numpy(arrays[f"{place}.{name}"]) for name in PARTS)
        network = Stack(U=U, u=u, A=None, W=W, b=b, classes=classes)
        found.append(Mlp(**member, network=network, sae=Tied(E, e)))
    return found
