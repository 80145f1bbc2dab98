"""A family: networks that are compared on the same pairs, how they are built, and how stored."""

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from interference.canvas.compose import Composer
from interference.canvas.network import Network, Shape, blocks
from interference.compute import generator
from interference.data.read import read_split
from interference.store.files import StoreError
from interference.store.tensors import read_described


@dataclass(frozen=True)
class Member:
    """A trained network of a family.

    settings: as the spec of `learn` has them. thresholds: (n,) float32, of every feature's
    logit. accuracy: (n,) float32, balanced, of every feature.
    """

    settings: dict
    network: Network
    thresholds: Tensor
    accuracy: Tensor

    @property
    def name(self) -> str:
        return self.settings["name"]

    @property
    def read(self) -> int:
        """How many features it was taught to read, the first ones."""
        return self.settings["read"]

    def doses(self) -> Tensor:
        """Return the features per dimension of each feature's block: (n,) float64."""
        if self.settings["blocks"] is None:
            return torch.full((self.settings["cells"],), self.settings["dose"], dtype=torch.float64)
        of = torch.tensor(self.settings["blocks"]["of"])
        dimensions = torch.tensor(self.settings["blocks"]["dimensions"], dtype=torch.float64)
        return (torch.bincount(of, minlength=len(dimensions)) / dimensions)[of]


class Pool:
    """A split's images, of which canvases are composed.

    spec: halved and regime, as the spec of any step of this room has them.
    """

    def __init__(self, data: Path, split: str, spec: dict):
        found = read_split(data, split)
        self.images = torch.from_numpy(found.pixels[:]).float() / 255
        self.labels, self.spec = torch.from_numpy(found.labels), spec

    def showing(self, images: Tensor) -> "Pool":
        """Return a pool of other cells under the same labels: (N, channels, side, side) float32."""
        other = copy.copy(self)
        other.images = images
        return other

    def composer(
        self, cells: int, *, density: float | None = None, correlated: bool = False
    ) -> Composer:
        """Return a composer of canvases of so many cells. density: another than the regime's."""
        regime = self.spec["regime"]
        return Composer(
            self.images,
            self.labels,
            classes=regime["classes"],
            cells=cells,
            density=regime["density"] if density is None else density,
            halved=self.spec["halved"],
            correlated=correlated,
        )


def identity(spec: dict) -> dict[str, object]:
    """Return what tables say first: regime and decoder. spec: of any step of this room."""
    regime = spec["regime"]
    return {"regime": regime["name"], "decoder": "hidden" if regime["hidden"] else "linear"}


def built(member: dict, build: dict, draw: torch.Generator) -> Network:
    """Return the network of a member, its weights drawn. build: as `learn` writes it."""
    own = member["blocks"]
    shape = Shape(
        cells=member["cells"],
        dimensions=member["dimensions"],
        owned=None if own is None else blocks(own["of"], own["dimensions"]),
        **build,
    )
    return Network(shape, draw)


def read_family(manifest: Path) -> tuple[list[Member], dict]:
    """Read the members that `learn` wrote, in order, and the spec that they were taught by.

    Raises StoreError where weights are missing, or not those that the manifest describes.
    """
    arrays, content = read_described(manifest)
    members = []
    for settings in content["spec"]["members"]:
        prefix = settings["name"] + "/"
        state = {
            name.removeprefix(prefix): torch.from_numpy(array)
            for name, array in arrays.items()
            if name.startswith(prefix)
        }
        if not state:
            raise StoreError(
                f"{manifest} has no network {settings['name']}; remove it and run snakemake"
            )
        thresholds, accuracy = state.pop("thresholds"), state.pop("accuracy")
        network = built(settings, content["build"], generator(0)).requires_grad_(False)
        network.load_state_dict(state)
        members.append(Member(settings, network, thresholds, accuracy))
    return members, content["spec"]
