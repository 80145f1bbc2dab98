"""The largest value of a convex quadratic on a ball, solved exactly for many balls at once.

    maximise  q(v) = vᵀ A v + 2 gᵀ v   over ‖v‖ ≤ r,   A symmetric and positive semidefinite.

With λ at least the largest eigenvalue μ of A, (λ − A) v = g and ‖v‖ = r, v is a global maximum
(Moré & Sorensen 1983, "Computing a trust region step"; Conn, Gould & Toint 2000, section 7.3). λ is
the root of the secular equation ‖(λ − A)⁻¹ g‖ = r; in the *hard case*, where g has no part along
the top eigenvector and the norm stays below r, λ = μ and that eigenvector fills the radius.

For any λ ≥ μ the dual value gᵀ (λ − A)⁻¹ g + λ r² is no less than the maximum: it certifies a
bound even where the root is not converged.
"""

from typing import NamedTuple

import torch
from torch import Tensor

#: Newton steps on 1/‖v‖, which is nearly linear in λ: from the left of the root they converge
#: monotonically, in 3 to 6 steps to the last digit.
NEWTON_STEPS = 8


class Maximum(NamedTuple):
    """v: a maximiser, (..., m); bound: the dual value, no less than the maximum, (...)."""

    v: Tensor
    bound: Tensor


def maximise(A: Tensor, g: Tensor, radius: Tensor) -> Maximum:
    """Maximise vᵀ A v + 2 gᵀ v over ‖v‖ ≤ radius.

    A: (..., m, m) float64, symmetric, positive semidefinite; g: (..., m); radius: (...), positive.
    """
    values, vectors = torch.linalg.eigh(A)
    top = values[..., -1].clamp(min=0)
    g = (vectors.mT @ g.unsqueeze(-1)).squeeze(-1)
    gaps = (top.unsqueeze(-1) - values).clamp_(min=0)
    shift = _secular_root(gaps, g, radius)
    v = _divide(g, gaps + shift.unsqueeze(-1))
    bound = (top + shift) * radius.square() + (g * v).sum(-1)
    missing = (radius.square() - v.square().sum(-1)).clamp_(min=0).sqrt_()
    v[..., -1] += torch.where(g[..., -1] < 0, -missing, missing)
    v *= (radius / v.norm(dim=-1)).clamp(max=1).unsqueeze(-1)
    return Maximum((vectors @ v.unsqueeze(-1)).squeeze(-1), bound)


def _secular_root(gaps: Tensor, g: Tensor, radius: Tensor) -> Tensor:
    """λ − μ, (...), from gaps μ − μ_j and g in the eigenbasis, each (..., m)."""
    # ‖v‖ ≥ |g_j| / (λ − μ_j) for each j: the root is no further left than this.
    floor = (g.abs() / radius.unsqueeze(-1) - gaps).amax(-1).clamp_(min=0)
    shift = floor
    for _ in range(NEWTON_STEPS):
        shifted = gaps + shift.unsqueeze(-1)
        v = _divide(g, shifted)
        squared = v.square()
        length = squared.sum(-1)
        slope = _divide(squared, shifted).sum(-1)
        shift = torch.maximum(shift + (length.sqrt() / radius - 1) * _divide(length, slope), floor)
    return shift


def _divide(numerator: Tensor, denominator: Tensor) -> Tensor:
    """The quotient, 0 where the denominator is 0."""
    zero = denominator == 0
    return torch.where(zero, 0, numerator / denominator.masked_fill(zero, 1))
