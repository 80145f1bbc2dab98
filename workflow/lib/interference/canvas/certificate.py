"""A lower bound on every change that flips a feature, for networks with a linear decoder.

A logit is then a sum over cells, b + Σ_k g_k(x_k), and a flip takes away the margin s:

    s ≤ Σ_k φ_k(ρ_k),   φ_k(ρ) = max { g_k(x_k) − g_k(x_k + δ) : ‖δ‖₂ ≤ ρ, 0 ≤ x_k + δ ≤ 1 }

(for a feature that is off, with the sign turned). Two bounds make it a certificate:

- *Per cell.* For a radius ρ_g every ReLU of the cell is replaced by two parallel lines that enclose
  it wherever its input can get within ρ_g (Fast-Lin: Weng et al. 2018, §3.3). What remains is linear:
  φ_k(ρ) ≤ c_kg + a_kg ρ for ρ ≤ ρ_g, where a_kg is the norm of the slope at those pixels that the
  box lets go that way.
- *Allocation.* max Σ_k φ_k(ρ_k) over Σ_k ρ_k² ≤ ε² is at most

      min over λ ≥ 0 of   λ ε² + Σ_k max_ρ (φ_k(ρ) − λ ρ²)

  (weak duality), so that any λ is safe; of a grid the least is taken.

The certified radius is the largest ε found by bisection for which this is below s; it may be short
of the largest, never beyond. A share of `SAFETY` is given away for rounding.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

from interference.canvas.minimum import Pairs, masks
from interference.canvas.network import GRID, Network, Trunk, patches

#: Radii of a cell at which it is bounded, over what its gradient alone would need, others' or all.
RADII = (0.04, 0.07, 0.12, 0.2, 0.33, 0.57, 1.0)
#: Multipliers λ that are tried, over that of the best allocation to linear cells.
MULTIPLIERS = tuple(2 ** (i / 2) for i in range(-4, 9))
#: Halvings of a certified radius.
HALVINGS = 10
#: Share of the margin that covers the rounding of float32.
SAFETY = 1e-3
#: Pairs of one pass, for a bounded memory.
PAIRS = 36
#: Keeps a division finite.
TINY = 1e-12


class _Layer:
    """A linear layer before ReLUs, the same for each of ``blocks`` pieces of its input.

    weight: (out, in), or of each cell its own, (N, out, in).
    """

    def __init__(self, weight: Tensor, bias: Tensor, blocks: int):
        self.weight, self.bias, self.blocks = weight, bias, blocks

    def forward(self, y: Tensor) -> Tensor:
        """(N, blocks · in) → (N, blocks · out)."""
        z = y.unflatten(1, (self.blocks, -1)) @ self.weight.mT
        return (z + (self.bias if self.bias.dim() == 1 else self.bias[:, None])).flatten(1)

    def back(self, coefficient: Tensor) -> Tensor:
        """Functionals of the output as functionals of the input: (N, f, any · out) → (…, any · in)."""
        weight = self.weight if self.weight.dim() == 2 else self.weight[:, None]
        return (coefficient.unflatten(2, (-1, self.weight.shape[-2])) @ weight).flatten(2)


class _Relaxed:
    """ReLUs of some cells, each between two parallel lines, slope · z and slope · z + gap.

    z: (N, units), their inputs; up, down: how far each can get.
    """

    def __init__(self, z: Tensor, up: Tensor, down: Tensor):
        upper, lower = (z + up).clamp(min=0), (z - down).clamp(max=0)
        self.slope = upper / (upper - lower).clamp(min=TINY)
        self.gap = -self.slope * lower
        #: What the lower line has above the unit itself, where the cell is: 0 or less.
        self.slack = self.slope * z - z.relu()
        self.near = (upper > -lower).float()
        self.near_slack = self.near * z - z.relu()

    def above(self, coefficient: Tensor) -> tuple[Tensor, Tensor]:
        """Bound functionals of the ReLUs from above alone, each by the tighter of two lower lines.

        Where a coefficient is below 0 the unit is taken for 0 or for its input, whichever is nearer
        to it over where that can get. Arguments and results as of `back`, without how far they fall.
        """
        rises = (coefficient > 0).float()
        slope = self.slope[:, None].lerp(self.near[:, None], 1 - rises)
        slack = self.slack[:, None].lerp(self.near_slack[:, None], 1 - rises)
        up = (coefficient * (rises * self.gap[:, None] + slack)).sum(2)
        return coefficient * slope, up

    def back(self, coefficient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Functionals of the ReLUs as functionals of their inputs, and what the lines give away.

        coefficient: (N', f, units'), where a row of N' has as many units as coefficients. Returns
        coefficients, and by how much a functional can rise and fall beyond them: (N', f) each, ≥ 0.
        """
        rows = len(coefficient)
        slope, gap, slack = (x.reshape(rows, -1, 1) for x in (self.slope, self.gap, self.slack))
        still = coefficient @ slack
        up = (coefficient.clamp(min=0) @ gap + still).squeeze(2)
        down = -(coefficient.clamp(max=0) @ gap + still).squeeze(2)
        return coefficient * slope.mT, up, down


def _own(network: Network) -> Trunk:
    """The trunk, whose layers are known. Raises TypeError where a network is mounted in its place."""
    if not isinstance(network.trunk, Trunk):
        raise TypeError("a frozen network in place of the trunk has no bound")
    return network.trunk


class _Cells:
    """Cells whose evidence is bounded: the layers of trunk and detectors, and pixels in their order."""

    def __init__(self, network: Network, images: Tensor, cell: Tensor):
        """images: (N, channels, side, side) in [0, 1]; cell: (N,) int64, where in a canvas."""
        trunk = _own(network)
        self.layers = [
            _Layer(trunk.first.weight, trunk.first.bias, GRID**2),
            _Layer(trunk.second.weight, trunk.second.bias, (GRID // 2) ** 2),
            _Layer(trunk.last.weight, trunk.last.bias, 1),
        ]
        if network.shape.detectors:
            self.layers.append(_Layer(network.B[cell].mT, network.c[cell], 1))
        self.pixels = self._ordered(network, images)
        free = self._ordered(network, torch.ones_like(images[:1]))
        #: Where the box lets a pixel rise and fall; padding does neither.
        self.rise, self.fall = (free * (self.pixels < 1)), (free * (self.pixels > 0))
        self.inputs, y = [], self.pixels
        for layer in self.layers:
            self.inputs.append(layer.forward(y))
            y = self.inputs[-1].relu()

    @staticmethod
    def _ordered(network: Network, images: Tensor) -> Tensor:
        """Pixels in the order in which the layers take them: (N, pixels)."""
        trunk = _own(network)
        x = pad(images, trunk.padding).permute(0, 2, 3, 1)
        return patches(patches(x, trunk.stride), 2).flatten(1)

    def losses(self, slope: Tensor, radius: Tensor) -> tuple[Tensor, Tensor]:
        """Bound how far functionals of the evidence can rise within a radius: c + a ρ, ρ ≤ radius.

        slope: (N, K); radius: (N,). Returns c and a, (N,) each, not below 0.
        """
        relaxed: list[_Relaxed] = []
        for layer, z in zip(self.layers, self.inputs):
            rows = len(z) * layer.blocks
            weight = layer.weight.expand(rows, -1, -1)
            norms, offsets = self._reach(weight, relaxed)
            each = radius.repeat_interleave(layer.blocks)[:, None]
            up, down = ((norm * each + offset).view_as(z) for norm, offset in zip(norms, offsets))
            relaxed.append(_Relaxed(z, up, down))
        coefficient, offset = slope[:, None], torch.zeros(len(slope), 1)
        for layer, units in zip(reversed(self.layers), reversed(relaxed)):
            coefficient, more = units.above(coefficient)
            offset, coefficient = offset + more, layer.back(coefficient)
        return offset.squeeze(1), self._norms(coefficient)[0].squeeze(1)

    def _reach(
        self, coefficient: Tensor, relaxed: list[_Relaxed]
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """How far functionals of the last relaxed layer rise and fall: per unit of ρ, and beyond.

        coefficient: (N', f, units'). Returns norms and offsets, (rise, fall) of (N', f) each.
        """
        up = down = torch.zeros(coefficient.shape[:2])
        for layer, units in zip(reversed(self.layers[: len(relaxed)]), reversed(relaxed)):
            coefficient, more_up, more_down = units.back(coefficient)
            up, down = up + more_up, down + more_down
            coefficient = layer.back(coefficient)
        return self._norms(coefficient), (up, down)

    def _norms(self, coefficient: Tensor) -> tuple[Tensor, Tensor]:
        """Norms of functionals of pixels as far as the box lets them rise, and fall: (N', f) each."""
        rows = len(coefficient)
        rise, fall = (x.reshape(rows, -1, 1) for x in (self.rise, self.fall))
        both = (coefficient.square() @ (rise + fall)).squeeze(2)
        signed = ((coefficient * coefficient.abs()) @ (rise - fall)).squeeze(2)
        up, down = (((both + sign * signed).clamp(min=0) / 2).sqrt() for sign in (1, -1))
        return up, down


@torch.no_grad()
def certified(network: Network, pairs: Pairs) -> dict[str, Tensor]:
    """Return radii within which no change of all, own or other cells flips a pair: (P,) float32 each.

    pairs: their masks are not read. Raises ValueError where the decoder is not linear.
    """
    if network.shape.hidden:
        raise ValueError("hidden: only a linear decoder's flips are bounded; give hidden 0")
    parts = [
        _certified(network, Pairs(**{name: value[rows] for name, value in vars(pairs).items()}))
        for rows in torch.arange(len(pairs.feature)).split(PAIRS)
    ]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _certified(network: Network, pairs: Pairs) -> dict[str, Tensor]:
    count, n = pairs.cells.shape
    logit = network(pairs.images).gather(1, pairs.feature[:, None]).squeeze(1)
    side = torch.where(logit > pairs.threshold, 1.0, -1.0)
    margin = (1 - SAFETY) * side * (logit - pairs.threshold)
    owned = network.shape.owned
    weight = network.W if owned is None else network.W * owned
    slope = torch.einsum("nkm,pm->pnk", network.bottleneck(), weight[pairs.feature])
    slope = (-side[:, None, None] * slope).flatten(0, 1)  # by which evidence adds to what is lost
    regions = masks(pairs.feature, n)

    every = _Cells(network, pairs.images.flatten(0, 1), torch.arange(n).repeat(count))
    _, steep = every.losses(slope, torch.zeros(count * n))
    steep = steep.view(count, n)

    def linear(region: str) -> Tensor:
        return margin / (steep * regions[region]).norm(dim=1).clamp(min=TINY)

    radii = linear("others")[:, None] * torch.tensor(RADII)
    bounds = [every.losses(slope, radius.repeat_interleave(n)) for radius in radii.unbind(1)]
    c, a = (torch.stack(x, 1).view(count, n, -1) for x in zip(*bounds))
    found = {}
    for region in ("all", "others"):

        def enough(epsilon: Tensor, mask: Tensor = regions[region]) -> Tensor:
            return _most(c, a, radii, steep, mask, epsilon) < margin

        found[region] = _bisected(enough, linear(region).minimum(radii[:, -1]))
    alone = _Cells(network, pairs.images[regions["own"]], pairs.feature)
    mine = slope.view(count, n, -1)[regions["own"]]

    def safe(epsilon: Tensor) -> Tensor:
        offset, norm = alone.losses(mine, epsilon)
        return offset + norm * epsilon < margin

    return found | {"own": _bisected(safe, linear("own"))}


def _most(
    c: Tensor, a: Tensor, radii: Tensor, steep: Tensor, mask: Tensor, epsilon: Tensor
) -> Tensor:
    """An upper bound of the margin that a change of a region within ε takes: (P,).

    c, a: (P, n, G), of each cell up to each radius, (P, G). steep: (P, n), a near the cell.
    mask: (P, n) bool, the cells of the region. epsilon: (P,).
    """
    guess = (steep * mask).norm(dim=1) / (2 * epsilon).clamp(min=TINY)
    multiplier = (guess[:, None] * torch.tensor(MULTIPLIERS)).clamp(min=TINY)
    low = torch.cat([torch.zeros_like(radii[:, :1]), radii[:, :-1]], 1)
    high = radii.minimum(epsilon[:, None])
    lam = multiplier[:, :, None, None]
    low, high = low[:, None, None], high[:, None, None]
    rho = (a[:, None] / (2 * lam)).clamp(min=low).minimum(high)
    gain = c[:, None] + a[:, None] * rho - lam * rho.square()
    gain = gain.where(low < high, 0).amax(3).clamp(min=0)
    total = (gain * mask[:, None]).sum(2) + multiplier * epsilon[:, None].square()
    return total.amin(1)


def _bisected(safe: Callable[[Tensor], Tensor], high: Tensor) -> Tensor:
    """The largest radius up to ``high`` that is found safe, by bisection: (P,)."""
    low = torch.zeros_like(high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        good = safe(middle)
        low, high = torch.where(good, middle, low), torch.where(good, high, middle)
    return low
