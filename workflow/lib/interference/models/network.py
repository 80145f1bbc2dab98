"""Torchvision's classifiers with the normaliser inside, and hooks to look into them.

Pixels come in as [0, 1], so that an attack's epsilon is in pixel units.
"""

import math
from collections.abc import Collection, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from interference.models.architectures import ARCHITECTURES, HOOKS, build
from interference.provenance import InterferenceError
from interference.store.tensors import read_described


class NetworkError(InterferenceError):
    """A network and the images or layer that it is asked about do not belong together."""


class Network(nn.Module):
    """A classifier on pixels in [0, 1]."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        architecture: str,
        stem: str,
        channels: int,
        classes: int,
        mean: list[float],
        std: list[float],
        width: int | None = None,
    ):
        """Build the network with random weights.

        architecture: a name in `ARCHITECTURES`.
        stem: imagenet, or what only ResNets have: 3x3 without pooling, strided or small (stride 1).
        channels: of the pixels; only ResNets take other than three.
        mean, std: per channel of the training pixels, in [0, 1] units.
        width: channels of the stem, None for the architecture's own.
        """
        super().__init__()
        self._architecture = ARCHITECTURES[architecture]
        self.body = build(architecture, classes, width)
        out = 64 if width is None else width
        if stem != "imagenet":
            stride = 2 if stem == "strided" else 1
            self.body.conv1 = nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False)
            self.body.maxpool = nn.Identity()
        elif channels != 3:
            self.body.conv1 = nn.Conv2d(channels, out, 7, stride=2, padding=3, bias=False)
        self.body.to(memory_format=torch.channels_last)  # a tenth faster on a CPU
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Classify: x (n, channels, height, width) in [0, 1] → logits (n, classes)."""
        return self.body(self._normalised(x))

    def _normalised(self, x: Tensor) -> Tensor:
        return ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def stages(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield the hooks in order, each with the module that leads to it from the previous."""
        yield from zip(HOOKS, self._architecture.stages(self.body), strict=True)

    def hooks(self, x: Tensor, layers: Collection[str]) -> Iterator[tuple[str, Tensor]]:
        """Yield (layer, activations (n, positions, d)) of the named hooks, in the network's order.

        x: (n, channels, height, width) in [0, 1]. One pass: nothing is computed twice, nor beyond
        the last of the hooks. Raises KeyError where the network has no such hook.
        """
        left = set(layers)
        x = self._normalised(x)
        for name, module in self.stages():
            if not left:
                return
            x = module(x)
            if name in left:
                left.remove(name)
                yield name, x.flatten(2).transpose(1, 2)
        if left:
            raise KeyError(min(left))

    def activations(self, x: Tensor, layer: str) -> Tensor:
        """Return the activations (n, positions, d) of one hook.

        x: (n, channels, height, width) in [0, 1]. Raises KeyError where there is no such hook.
        """
        ((_, values),) = self.hooks(x, [layer])
        return values

    def from_layer(self, activations: Tensor, layer: str) -> Tensor:
        """Run the rest of the forward pass, for square images.

        activations: (n, positions, d) of the hook → logits (n, classes).
        Raises KeyError where there is no such hook.
        """
        *_, (_, logits) = self.after(activations, layer)
        return logits

    def after(self, activations: Tensor, layer: str) -> Iterator[tuple[str, Tensor]]:
        """Yield what follows a hook: each later one with its activations (n, positions, d), at the end
        "logits" with those, (n, classes).

        activations: (n, positions, d) of the hook, of square images.
        Raises KeyError where there is no such hook.
        """
        names, modules = zip(*self.stages())
        if layer not in names:
            raise KeyError(layer)
        side = math.isqrt(activations.shape[1])
        x = activations.transpose(1, 2).unflatten(2, (side, side))
        place = names.index(layer) + 1
        for name, module in zip(names[place:], modules[place:]):
            x = module(x)
            yield name, x.flatten(2).transpose(1, 2)
        yield "logits", self._architecture.head(self.body, x)


def load_network(manifest: Path) -> Network:
    """Read a trained network, in eval mode with frozen parameters. Raises StoreError."""
    weights, description = read_described(manifest)
    network = Network(**description["build"])
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    return network.eval().requires_grad_(False)
