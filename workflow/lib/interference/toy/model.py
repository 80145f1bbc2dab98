"""Toy models of superposition, many at once, with gradients derived by hand.

A model squeezes n sparse features through m < n dimensions and rebuilds them
(Elhage et al. 2022, *Toy Models of Superposition*, "Demonstrating Superposition"):

    h = W x        x' = ReLU(Wᵀ h + b)        L = mean over batch and features of (x' − x)²

S models form one *stack*: W is (S, m, n) and b is (S, n). The batch is the last axis, x is
(S, n, B), so that every product is one batched matrix product. Every function follows the dtype
and device of what it is given.

With e = (x' − x) · [x' > 0] and c = W e, up to the factor 2/(n B) of the mean,

    ∂L/∂W = h eᵀ + c xᵀ        ∂L/∂b = e 1        ∂L/∂x = Wᵀ c  (the target x held fixed)

A perturbation δ acts through W δ alone, so no attack gains by leaving the row space of W: it is
written δ = Wᵀ a with a *code* a in the hidden space, and x + δ is never formed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Perturbation(NamedTuple):
    """An input perturbation δ = Wᵀ a, held in the hidden space.

    code: a, (S, m, B); shift: W δ = W Wᵀ a, (S, m, B).
    """

    code: Tensor
    shift: Tensor


class Pass(NamedTuple):
    """One forward and backward pass to the hidden layer.

    hidden: h, (S, m, B); error: e, (S, n, B); hidden_error: c = W e, (S, m, B);
    code: a, (S, m, B), where the input was x + Wᵀ a, else None.
    """

    hidden: Tensor
    error: Tensor
    hidden_error: Tensor
    code: Tensor | None = None


class Gradients(NamedTuple):
    """Gradients of a loss. W: (S, m, n); b: (S, n)."""

    W: Tensor
    b: Tensor


def encode(W: Tensor, x: Tensor) -> Tensor:
    """Hidden activations h = W x. W: (S, m, n); x: (S, n, B); returns (S, m, B)."""
    return W @ x


def reconstruct(W: Tensor, b: Tensor, hidden: Tensor) -> Tensor:
    """Outputs x' = ReLU(Wᵀ h + b). W: (S, m, n); b: (S, n); hidden: (S, m, B); returns (S, n, B)."""
    return torch.baddbmm(b.unsqueeze(-1), W.mT, hidden).relu_()


def loss(W: Tensor, b: Tensor, hidden: Tensor, target: Tensor) -> Tensor:
    """Mean squared error over batch and features, summed in float64.

    W: (S, m, n); b: (S, n); hidden: (S, m, B), clean or attacked; target: the clean input
    (S, n, B). Returns (S,) float64.
    """
    error = reconstruct(W, b, hidden).sub_(target)
    return error.square_().mean(dim=(-2, -1), dtype=torch.float64)


def norms(x: Tensor) -> Tensor:
    """L2 norm of each sample. x: (S, n, B); returns (S, 1, B)."""
    # A product with ones: torch.linalg.vector_norm over a middle axis is 15 times slower.
    return (x.new_ones(1, x.shape[-2]) @ x.square()).sqrt_()


def propagate(
    W: Tensor, b: Tensor, hidden: Tensor, target: Tensor, code: Tensor | None = None
) -> Pass:
    """Forward from the hidden layer and back to it.

    W: (S, m, n); b: (S, n); hidden: (S, m, B), clean or attacked; target: the clean input
    (S, n, B); code: (S, m, B), the perturbation's, where hidden is attacked.
    """
    output = reconstruct(W, b, hidden)
    alive = output.sign()  # 0 or 1; multiplying by booleans would be slower
    error = output.sub_(target).mul_(alive)
    return Pass(hidden, error, W @ error, code)


def gradients(W: Tensor, x: Tensor, parts: Sequence[tuple[float, Pass]]) -> Gradients:
    """Gradient of a weighted sum of losses on the same clean input, perturbations held constant.

    W: (S, m, n); x: the clean input (S, n, B), also the target of every part;
    parts: (weight, pass) of each loss.
    """
    # The passes share x, and their codes are m × m away from it: one large product for all.
    zero = x.new_zeros(())
    grad_W = sum((weight * part.hidden_error for weight, part in parts), zero) @ x.mT
    grad_b = sum((weight * part.error.sum(-1) for weight, part in parts), zero)
    for weight, part in parts:
        grad_W.baddbmm_(part.hidden, part.error.mT, alpha=weight)
        if part.code is not None:
            grad_W.baddbmm_(part.hidden_error @ part.code.mT, W, alpha=weight)
    scale = 2 / (x.shape[-2] * x.shape[-1])
    return Gradients(grad_W.mul_(scale), grad_b.mul_(scale))
