"""Attacks on a stack of toy models: maximise MSE(x'(x + δ), x) over ‖δ‖₂ ≤ radius.

The target is always the *clean* x, and x + δ is not clamped. An attack is an `Attack`: it takes
the whole stack and returns a `Perturbation` of each sample, held in the hidden space. Stronger
attacks are files of their own with the same signature.

The one-step gradient with noise is that of Gorton & Lewis 2025 (arXiv 2508.17456), toy models.
"""

from typing import Protocol

import torch
from torch import Tensor

from interference.toy.model import Perturbation, encode, propagate

#: Norm of a gradient below which it is taken for zero; the perturbation then vanishes with it.
TINY = 1e-12


class Attack(Protocol):
    """Perturb each sample against each model of a stack."""

    def __call__(
        self, W: Tensor, b: Tensor, x: Tensor, radius: Tensor, generator: torch.Generator
    ) -> Perturbation:
        """W: (S, m, n); b: (S, n); x: (S, n, B); radius: L2, (S, 1, 1) or (S, 1, B).

        Random numbers come from ``generator`` alone and are shared by the models of the stack.
        """


def steepest_ascent(W: Tensor, hidden_error: Tensor, radius: Tensor) -> Perturbation:
    """The perturbation of length ``radius`` along the gradient Wᵀ c of each sample's loss.

    With G = W Wᵀ, ‖Wᵀ c‖² = cᵀ G c: the direction is normalised in m dimensions.

    W: (S, m, n); hidden_error: c, (S, m, B); radius: L2, (S, 1, 1) or (S, 1, B).
    """
    shift = (W @ W.mT) @ hidden_error
    squared = (hidden_error * shift).sum(-2, keepdim=True)
    scale = radius / squared.clamp_min_(0).sqrt_().clamp_min_(TINY)
    return Perturbation(hidden_error * scale, shift.mul_(scale))


def one_step(
    W: Tensor, b: Tensor, x: Tensor, radius: Tensor, generator: torch.Generator, *, noise: float
) -> Perturbation:
    """One step along the gradient taken at x + noise · z, z standard normal, of length ``radius``.

    The noise wakes ReLUs that are dead at x; it moves only the point where the gradient is taken
    and is never part of the perturbation. Shapes as in `Attack`.
    """
    z = torch.randn(x.shape[1:], generator=generator, dtype=x.dtype)
    point = encode(W, x + noise * z)
    return steepest_ascent(W, propagate(W, b, point, x).hidden_error, radius)
