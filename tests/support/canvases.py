"""Small canvases and hand-made networks, whose radii are known in closed form."""

import math

import torch
from torch import Tensor, nn

from interference.canvas.compose import Composer
from interference.canvas.minimum import Pairs
from interference.canvas.network import Network, Shape, blocks
from interference.compute import generator

SIDE = 6


def composer(
    classes: int = 4,
    cells: int = 6,
    density: float = 0.3,
    side: int = SIDE,
    correlated: bool = False,
) -> Composer:
    """A composer of random images, each of whose first pixel tells the image and its class."""
    labels = torch.arange(120) * 7 % classes
    images = torch.rand(120, 1, side, side, generator=generator(3))
    images[:, 0, 0, 0] = (labels + torch.arange(120) / 120) / classes
    return Composer(
        images,
        labels,
        classes=classes,
        cells=cells,
        density=density,
        halved=False,
        correlated=correlated,
    )


def small(seed: int = 0, **changes) -> Network:
    """A network of random weights on the canvases of `composer`."""
    shape = {
        "cells": 6,
        "channels": 1,
        "side": SIDE,
        "features": 5,
        "detectors": 3,
        "dimensions": 4,
    }
    network = Network(Shape(**(shape | {"hidden": 0} | changes)), generator(seed))
    return network.requires_grad_(False)


def separate(features: list[int], dimensions: list[int]) -> Network:
    """A network of six features in blocks."""
    owned = blocks(features, dimensions)
    return small(dimensions=sum(dimensions), owned=owned)


class Reading(nn.Module):
    """A trunk of one feature, linear in a cell's pixels and of unit norm; it may be negative."""

    def __init__(self, side: int):
        super().__init__()
        weight = torch.randn(side * side, 1, generator=generator(8))
        self.weight = nn.Parameter(weight / weight.norm(), requires_grad=False)

    def forward(self, x: Tensor, slope: float = 0.0) -> Tensor:
        return x.flatten(1) @ self.weight


def handmade(frame: Tensor, side: int = SIDE) -> Network:
    """A linear network of logits F Fᵀ e, e one number per cell. frame: F, (n, m)."""
    n, m = frame.shape
    shape = Shape(cells=n, channels=1, side=side, features=1, detectors=0, dimensions=m, hidden=0)
    network = Network(shape, generator(0)).requires_grad_(False)
    network.trunk = Reading(side)
    network.A.copy_(frame[:, None])
    network.W.copy_(frame)
    return network


def gradients(network: Network, pairs: Pairs) -> Tensor:
    """∇ of each pair's logit in its pixels, float32: (P, n, channels, side, side)."""
    images = pairs.images.clone().requires_grad_(True)
    logits = network(images).gather(1, pairs.feature[:, None])
    return torch.autograd.grad(logits.sum(), images)[0]


def pairs_near(
    network: Network, cells: Tensor, feature: Tensor, *, away: float, spread: float
) -> Pairs:
    """Pairs on canvases around 0.5, thresholds ``away`` from the logit, above and below in turn.

    spread: pixels are 0.5 ± spread.
    """
    count, (n, side) = len(feature), (network.shape.cells, network.shape.side)
    noise = torch.rand(count, n, 1, side, side, generator=generator(5)) * 2 - 1
    images = 0.5 + spread * noise
    signs = 1 - 2.0 * (torch.arange(count) % 2)
    logits = network(images).gather(1, feature[:, None]).squeeze(1)
    return Pairs(images, torch.arange(count), feature, logits + away * signs, cells)


def tight_frame(n: int, m: int) -> Tensor:
    """An equal-norm tight frame, the harmonic one: n unit vectors of m dimensions, m even, < n."""
    angles = 2 * math.pi * torch.arange(n)[:, None] * torch.arange(1, m // 2 + 1) / n
    return torch.cat([angles.cos(), angles.sin()], dim=1) / math.sqrt(m / 2)


def member(name: str, *, cells: int, dimensions: int, **changes) -> dict:
    """A member of a family, as `learn` takes it."""
    plain = {
        "name": name,
        "cells": cells,
        "read": cells,
        "dimensions": dimensions,
        "dose": cells / dimensions,
        "frozen": False,
        "orthonormal": False,
        "shuffled": None,
        "blocks": None,
        "epsilon": 0.0,
        "attacked": None,
        "correlated": False,
    }
    return plain | changes


def family_spec(members: list[dict], **changes) -> dict:
    """What `learn` and `flip` take, small."""
    spec = {
        "regime": {"name": "dense", "classes": 4, "density": 0.2, "detectors": 0, "hidden": 0},
        "halved": True,
        "seed": 0,
        "members": members,
        "trunk": {"features": 8, "steps": 300, "batch_size": 32, "learning_rate": 0.003},
        "training": {"steps": 60, "batch_size": 32, "learning_rate": 0.01},
        "adversarial": None,
        "family": "dose",
        "flips": {"pairs": 12, "steps": 5, "starts": 2},
    }
    return spec | changes
