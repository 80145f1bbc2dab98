"""Superposition at the bottleneck, where the features are known.

The direction of feature j is what turning it on adds to the bottleneck in the mean: V_j, (m,). All
measures are float64.
"""

import torch
from torch import Tensor

from interference.canvas.network import Network
from interference.canvas.thresholds import Evidence


def directions(seen: Evidence) -> Tensor:
    """Return V_j, the mean contribution of cell j on less that off: (n, m)."""
    return (seen.on.double() - seen.off.double()).mean(0)


def gram(V: Tensor) -> Tensor:
    """Return the inner products V_i · V_j. V: (n, m); returns (n, n)."""
    return V @ V.T


def cosines(V: Tensor) -> Tensor:
    """Return the cosines between directions, 0 where one is zero. V: (n, m); returns (n, n)."""
    unit = torch.nn.functional.normalize(V, dim=1)
    return unit @ unit.T


def squared_cosines(V: Tensor) -> Tensor:
    """Return Σ_{j≠i} cos²(V_i, V_j) of each feature: (n, m) → (n,).

    0 where features are orthogonal; n/m − 1 in a tight frame of equal norms, the least mean.
    """
    return cosines(V).fill_diagonal_(0).square().sum(1)


def dimensionality(V: Tensor) -> Tensor:
    """Return D_i = ‖V_i‖⁴ / Σ_j (V_i · V_j)², 0 for a direction of zero: (n, m) → (n,).

    The share of a dimension that a feature has to itself (Elhage et al. 2022, "The Geometry of
    Superposition").
    """
    overlaps = gram(V)
    return (overlaps.diagonal().square() / overlaps.square().sum(1)).nan_to_num(0)


@torch.no_grad()
def interference_to_signal(network: Network, seen: Evidence) -> Tensor:
    """Return the variance that other cells cause in a feature's logit, over its signal: (n,).

    The signal is (half the step of the mean logit when the feature turns on)². The variance is over
    canvases with the own cell held fixed, in the mean over own cells, half of them on. Every
    canvas's own cell is put into every canvas: b² pairs, of which b have their own cell back.
    """
    shown = seen.shown()
    total = shown.sum(1)
    ratios = []
    for i in range(shown.shape[1]):
        others = total - shown[:, i]
        logits = torch.stack(
            [
                network.decode(others[:, None] + own[None, :, i])[..., i].double()
                for own in (seen.on, seen.off)
            ]
        )  # (on or off, canvas, own cell)
        signal = (logits[0].mean() - logits[1].mean()) / 2
        ratios.append(logits.var(1).mean() / signal.square())
    return torch.stack(ratios)
