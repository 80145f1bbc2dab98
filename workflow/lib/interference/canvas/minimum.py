"""The least change of a canvas that flips a feature: its L2 norm, within [0, 1] and a mask of cells.

With s(δ) the margin of a feature at x + δ, above 0 as long as nothing has flipped, every step solves

    min ‖δ'‖₂   over   s(δ) + ∇s · (δ' − δ) ≤ 0,   0 ≤ x + δ' ≤ 1,   δ' = 0 outside the mask

exactly, and goes part of the way to δ': the whole way at first and little at the end, for the
solution jumps between the pieces of a ReLU network. This is the step of DeepFool (Moosavi-Dezfooli
et al. 2016) with the origin's projection of FAB (Croce & Hein 2020); in a linear network the first
step is the answer. Later starts are random, with a straight-through slope for units that are off.
At the end bisection between canvas and best point finds the least share of the way that flips in a
forward pass on the whole canvas. What is found is an upper bound on the least norm.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from interference.attacks.norms import norm_of
from interference.canvas.network import Network
from interference.compute import generator

#: Newton steps for the multiplier of one projection.
NEWTON = 5
#: How far a step aims past the threshold, over the margin of the clean canvas: at first, and the
#: factors after a point that has flipped and after one that has not.
BEYOND, SHRINK, GROW = 0.02, 0.7, 1.3
#: Share of the way that the last step goes.
LAST = 0.1
#: Norm of a random start, over the best norm so far.
START = 0.5
#: Gradient of units that are off, in all starts but the first. On 36 pairs of one sparse network mean
#: radii were 3 % longer with 0.1, and 9 % with 1.
SLOPE = 0.3
#: Halvings of the way from the canvas to the best point, a little more than all of it at first.
HALVINGS, WHOLE = 18, 1.002
#: Keeps a division finite.
TINY = 1e-20


@dataclass(frozen=True)
class Pairs:
    """Features to flip, one per canvas.

    images: (P, n, channels, side, side) float32 in [0, 1]. canvas: (P,) int64, whose streams the
    starts take. feature: (P,) int64. threshold: (P,) float32, of the feature's logit: on above it.
    cells: (P, n) bool, those that may change.
    """

    images: Tensor
    canvas: Tensor
    feature: Tensor
    threshold: Tensor
    cells: Tensor


@dataclass(frozen=True)
class Flips:
    """What was found.

    images: (P, n, channels, side, side) float32 in [0, 1], each flipped in a forward pass; the clean
    canvas where nothing was found. radius: (P,) float32, the L2 norm of the change, else inf.
    """

    images: Tensor
    radius: Tensor


def masks(feature: Tensor, cells: int) -> dict[str, Tensor]:
    """Return the masks all, own and others, each (P, cells) bool, of features (P,) int64."""
    own = torch.arange(cells) == feature[:, None]
    return {"all": torch.ones_like(own), "own": own, "others": ~own}


def flip(network: Network, pairs: Pairs, *, steps: int, starts: int, seed: int) -> Flips:
    """Flip every pair by the least change that is found.

    steps: passes forward and back per start. starts: 1 or more, the first at the canvas itself.
    """
    margin = _Margin(network, pairs)
    if (pairs.cells.sum(1) == 1).all():
        alone = _CellMargin(margin, pairs)
        rows, x = torch.arange(len(pairs.cells)), pairs.images[pairs.cells]
        change = torch.zeros_like(pairs.images)
        change[rows, alone.cell] = _search(
            alone, pairs, x, torch.ones_like(x), steps=steps, starts=starts, seed=seed
        )
    else:
        mask = pairs.cells[:, :, None, None, None].float()
        change = _search(margin, pairs, pairs.images, mask, steps=steps, starts=starts, seed=seed)
    return _verified(margin, pairs.images, change)


def _search(
    margin: "_Margin | _CellMargin",
    pairs: Pairs,
    x: Tensor,
    mask: Tensor,
    *,
    steps: int,
    starts: int,
    seed: int,
) -> Tensor:
    """Return the shortest change of x that was seen to flip, else 0. x: (P, ...); mask: 0 or 1."""
    low, high = -x * mask, (1 - x) * mask
    with torch.no_grad():
        clean = margin(x)
    best, radius = torch.zeros_like(x), torch.full((len(x),), torch.inf)
    for start in range(starts):
        beyond = BEYOND * clean
        delta = torch.zeros_like(x)
        if start:
            delta = _random(pairs, x, mask, radius, start, seed).clamp(low, high)
        for step in range(steps):
            delta.requires_grad_(True)
            score = margin(x + delta, SLOPE if start else 0.0)
            (gradient,) = torch.autograd.grad(score.sum(), delta)
            delta, score = delta.detach(), score.detach()
            best, radius = _keep(best, radius, delta, score)
            share = LAST ** (step / max(steps - 1, 1))
            beyond = beyond * torch.where(score < 0, SHRINK, GROW)
            aim = score + beyond - _dot(gradient, delta)
            delta = delta.lerp(_nearest(gradient, aim, low, high), share)
        with torch.no_grad():
            best, radius = _keep(best, radius, delta, margin(x + delta))
    return best


class _Margin:
    """How far a feature's logit is from its threshold, on the clean side: canvases → (P,)."""

    def __init__(self, network: Network, pairs: Pairs):
        self.network, self.feature, self.threshold = (
            network,
            pairs.feature[:, None],
            pairs.threshold,
        )
        self.side = torch.ones(())
        with torch.no_grad():
            self.side = torch.where(self(pairs.images) > 0, 1.0, -1.0)

    def of(self, logits: Tensor) -> Tensor:
        return self.side * (logits.gather(1, self.feature).squeeze(1) - self.threshold)

    def __call__(self, images: Tensor, slope: float = 0.0) -> Tensor:
        return self.of(self.network(images, slope))


class _CellMargin:
    """The same where one cell per canvas may change: its images (P, channels, side, side) → (P,).

    What all other cells add to the bottleneck is computed once.
    """

    def __init__(self, margin: _Margin, pairs: Pairs):
        self.margin, self.cell = margin, pairs.cells.int().argmax(1)
        with torch.no_grad():
            added = margin.network.contributions(pairs.images)
        self.rest = (added * ~pairs.cells[..., None]).sum(1)

    def __call__(self, images: Tensor, slope: float = 0.0) -> Tensor:
        network = self.margin.network
        return self.margin.of(
            network.decode(self.rest + network.contribution(images, self.cell, slope))
        )


def _like(values: Tensor, x: Tensor) -> Tensor:
    return values.view(-1, *[1] * (x.dim() - 1))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).flatten(1).sum(1)


def _nearest(gradient: Tensor, aim: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Return the shortest δ in the box with gradient · δ ≤ −aim, (P, ...): the furthest if none is.

    δ = clamp(−λ gradient), and how far it gets is concave in λ with finitely many pieces: Newton's
    method comes from below, and ends.
    """
    bound = torch.where(gradient > 0, low, high).abs()
    steep = gradient.abs()
    reached, room = torch.zeros_like(aim), steep.square().flatten(1).sum(1)
    scale = torch.zeros_like(aim)
    for _ in range(NEWTON):
        scale = scale + (aim - reached).clamp(min=0) / room.clamp(min=TINY)
        length = _like(scale, steep) * steep
        reached = _dot(length.minimum(bound), steep)
        room = _dot(steep * (length < bound), steep)
    return -gradient.sign() * length.minimum(bound)


def _keep(best: Tensor, radius: Tensor, delta: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
    """Return the shorter of two changes, the second only where it flips."""
    length = norm_of(delta, "l2")
    shorter = (score < 0) & (length < radius)
    return torch.where(_like(shorter, delta), delta, best), torch.where(shorter, length, radius)


def _random(pairs: Pairs, x: Tensor, mask: Tensor, radius: Tensor, start: int, seed: int) -> Tensor:
    """Gaussian directions in the mask, a stream per canvas, feature and start: (P, ...)."""
    keys = zip(pairs.canvas.tolist(), pairs.feature.tolist())
    noise = torch.stack(
        [torch.randn(x.shape[1:], generator=generator(seed, *key, start)) for key in keys]
    )
    noise = noise * mask
    length = START * torch.where(radius.isfinite(), radius, 1)
    return noise * _like(length / norm_of(noise, "l2").clamp(min=TINY), noise)


@torch.no_grad()
def _verified(margin: _Margin, x: Tensor, best: Tensor) -> Flips:
    """The least share of each change that flips, found by bisection, and checked on the canvas."""

    def changed(share: Tensor) -> Tensor:
        return (x + _like(share, x) * best).clamp(0, 1)

    high = torch.full((len(x),), WHOLE)
    low, found = torch.zeros_like(high), margin(changed(high)) < 0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        flips = margin(changed(middle)) < 0
        low, high = torch.where(flips, low, middle), torch.where(flips, middle, high)
    images = torch.where(_like(found, x), changed(high), x)
    return Flips(images, torch.where(found, norm_of(images - x, "l2"), torch.inf))
