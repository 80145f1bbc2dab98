"""A network that reads a canvas through one linear bottleneck.

    h_k = trunk(cell k)                          the same trunk for all cells, D features
    e_k = h_k, or ReLU(h_k B_k + c_k)            evidence of a cell: K private detectors, or none
    z   = Σ_k e_k A_k                            the bottleneck, m dimensions over all cells
    logits = z W + b, or ReLU(z V + v) W + b     the decoder, n logits

A pixel of cell k reaches logit i ≠ k through the m dimensions of z alone, and z is a sum over
cells: what an attack on cell k does to feature i is interference.

With *blocks*, cell j writes to, and logit j reads, the dimensions of feature j's block alone, so
that features of one network have superposition of different doses.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, pad

#: Channels of both convolutions of the trunk.
CHANNELS = 16
#: Cells per side of the first convolution's output.
GRID = 4
#: Variance that a layer's start hands on, 1 where nothing is said. Both sides of the bottleneck start
#: small: from 1 the overlaps of the start outlive 600 steps, and cost 6 points of accuracy at m = n.
TRUNK_GAIN, GAINS = 2.0, {"A": 0.25, "W": 0.25}


@dataclass(frozen=True)
class Shape:
    """What a network is built of.

    cells: n. channels, side: of a cell's image. features: D, of the trunk.
    detectors: K per cell; 0 gives the bottleneck the trunk's features.
    dimensions: m. hidden: units of the decoder's layer; 0 makes the decoder linear.
    owned: (n, m) bool, the dimensions of each feature's block; None is one block of all.
    """

    cells: int
    channels: int
    side: int
    features: int
    detectors: int
    dimensions: int
    hidden: int
    owned: Tensor | None = None


def blocks(features: list[int], dimensions: list[int]) -> Tensor:
    """Return which dimensions each feature's block owns, as `Shape.owned`: (n, m) bool.

    features: the block of each feature, (n,). dimensions: how many each block has.
    """
    block_of = torch.repeat_interleave(torch.arange(len(dimensions)), torch.tensor(dimensions))
    return torch.tensor(features)[:, None] == block_of


def rectify(x: Tensor, slope: float) -> Tensor:
    """Return ReLU(x), whose gradient where x ≤ 0 is taken for ``slope`` instead of 0.

    The value is that of ReLU; a straight-through slope lets an attack wake what is off.
    """
    if slope == 0:
        return x.relu()
    off = x.clamp(max=0)
    return x.relu() + slope * (off - off.detach())


def patches(x: Tensor, side: int) -> Tensor:
    """Return the squares of ``side`` pixels: (N, h, w, c) → (N, h / side, w / side, side² c)."""
    squares = x.unflatten(2, (-1, side)).unflatten(1, (-1, side)).transpose(2, 3)
    return squares.flatten(3)


class Trunk(nn.Module):
    """Two strided convolutions and a linear layer: (N, channels, side, side) → (N, D) float32, ≥ 0.

    The convolutions bring a cell to 4 × 4 and 2 × 2 places, with a stride as wide as their kernel:
    so they are matrix products on patches, which on a CPU are 3 to 6 times as fast as `nn.Conv2d`
    where an attack needs the gradient of the pixels.
    """

    def __init__(self, channels: int, side: int, features: int):
        super().__init__()
        self.stride = -(-side // GRID)
        missing = self.stride * GRID - side
        self.padding = (missing // 2, missing - missing // 2) * 2
        self.first = nn.Linear(channels * self.stride**2, CHANNELS)
        self.second = nn.Linear(CHANNELS * 4, CHANNELS)
        self.last = nn.Linear(CHANNELS * (GRID // 2) ** 2, features)

    @torch.no_grad()
    def draw(self, generator: torch.Generator) -> None:
        """Biases start at 0, weights Gaussian with the variance `TRUNK_GAIN` / inputs."""
        for layer in (self.first, self.second, self.last):
            layer.bias.zero_()
            std = (TRUNK_GAIN / layer.in_features) ** 0.5
            layer.weight.normal_(std=std, generator=generator)

    def forward(self, x: Tensor, slope: float = 0.0) -> Tensor:
        x = pad(x, self.padding).permute(0, 2, 3, 1)
        x = rectify(self.first(patches(x, self.stride)), slope)
        x = rectify(self.second(patches(x, 2)), slope)
        return rectify(self.last(x.flatten(1)), slope)


class Network(nn.Module):
    """Canvases (b, n, channels, side, side) float32 → logits (b, n). See the module.

    The parameters are drawn from ``generator``. Raises ValueError where blocks meet a decoder that
    is not linear, whose hidden units would read all blocks.
    """

    def __init__(self, shape: Shape, generator: torch.Generator):
        super().__init__()
        if shape.owned is not None and shape.hidden:
            raise ValueError("blocks: only a linear decoder reads a block alone; give hidden 0")
        self.shape = shape
        #: A `Trunk`, or what is trained or mounted in its place.
        self.trunk: nn.Module = Trunk(shape.channels, shape.side, shape.features)
        evidence = shape.detectors or shape.features
        self.A = nn.Parameter(torch.empty(shape.cells, evidence, shape.dimensions))
        if shape.detectors:
            self.B = nn.Parameter(torch.empty(shape.cells, shape.features, shape.detectors))
            self.c = nn.Parameter(torch.empty(shape.cells, shape.detectors))
        if shape.hidden:
            self.hidden = nn.Linear(shape.dimensions, shape.hidden)
        self.W = nn.Parameter(torch.empty(shape.cells, shape.hidden or shape.dimensions))
        self.b = nn.Parameter(torch.empty(shape.cells))
        self._draw(generator)

    @torch.no_grad()
    def _draw(self, generator: torch.Generator) -> None:
        """Biases start at 0, weights Gaussian with the variance gain / inputs."""
        if isinstance(self.trunk, Trunk):
            self.trunk.draw(generator)
        shape = self.shape
        inputs = {"A": shape.cells * self.A.shape[1], "B": shape.features}
        for name, parameter in self.named_parameters():
            if name.startswith("trunk"):
                continue
            if name in ("b", "c") or name.endswith("bias"):
                parameter.zero_()
                continue
            count = inputs.get(name, parameter[0].numel())
            parameter.normal_(std=(GAINS.get(name, 1.0) / count) ** 0.5, generator=generator)

    def evidence(self, images: Tensor, slope: float = 0.0) -> Tensor:
        """Return what each cell has to say: (b, n, channels, side, side) → (b, n, K or D) ≥ 0."""
        h = self.trunk(images.flatten(0, 1), slope).unflatten(0, images.shape[:2])
        if not self.shape.detectors:
            return h
        return rectify(torch.einsum("bnd,ndk->bnk", h, self.B) + self.c, slope)

    def bottleneck(self) -> Tensor:
        """Return A, zero outside a cell's block: (n, K or D, m)."""
        owned = self.shape.owned
        return self.A if owned is None else self.A * owned[:, None]

    def contributions(self, images: Tensor) -> Tensor:
        """Return each cell's part of z, e_k A_k: (b, n, channels, side, side) → (b, n, m)."""
        return torch.einsum("bnk,nkm->bnm", self.evidence(images), self.bottleneck())

    def contribution(self, images: Tensor, cell: Tensor, slope: float = 0.0) -> Tensor:
        """Return one cell's part of z per canvas: (b, channels, side, side), cell (b,) → (b, m)."""
        e = self.trunk(images, slope)
        if self.shape.detectors:
            e = rectify(torch.einsum("bd,bdk->bk", e, self.B[cell]) + self.c[cell], slope)
        return torch.einsum("bk,bkm->bm", e, self.bottleneck()[cell])

    def decode(self, z: Tensor) -> Tensor:
        """Return the logits: (..., m) → (..., n)."""
        owned = self.shape.owned
        if self.shape.hidden:
            z = self.hidden(z).relu()
        return linear(z, self.W if owned is None else self.W * owned, self.b)

    def forward(self, images: Tensor, slope: float = 0.0) -> Tensor:
        z = self.evidence(images, slope).flatten(1) @ self.bottleneck().flatten(0, 1)
        return self.decode(z)
