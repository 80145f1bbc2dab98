"""Balls: norm, projection, steepest direction and uniform draws, for L2 and Linf.

Every function acts per image: x is (n, ...), norms are (n,). All in float32 or wider.
"""

import math

import torch
from torch import Tensor

#: Keeps the division by a perturbation's norm finite; one shorter than this is inside any ball.
TINY = 1e-12
#: Binary exponents that a power of two in float32 can have.
FURTHEST = 126


def _rows(x: Tensor) -> Tensor:
    return x.flatten(1)


def _like(values: Tensor, x: Tensor) -> Tensor:
    """Reshape values (n,) to broadcast over x (n, ...)."""
    return values.view(-1, *[1] * (x.dim() - 1))


def norm_of(x: Tensor, norm: str) -> Tensor:
    """Return the norm, l2 or linf, of every image: (n, ...) → (n,)."""
    order = {"l2": 2, "linf": math.inf}[norm]
    return torch.linalg.vector_norm(_rows(x), ord=order, dim=1)


def project(delta: Tensor, epsilon: float, norm: str) -> Tensor:
    """Return the nearest points of the ball of radius ``epsilon``: (n, ...) → (n, ...)."""
    if norm == "linf":
        return delta.clamp(-epsilon, epsilon)
    scale = (epsilon / norm_of(delta, norm).clamp_min(TINY)).clamp_max(1)
    return delta * _like(scale, delta)


def steepest(gradient: Tensor, norm: str) -> Tensor:
    """Return the direction of unit norm in which the loss rises fastest: (n, ...) → (n, ...).

    L2: g / ‖g‖₂. Linf: sign(g). Zero where the gradient is zero. For L2 a gradient is brought near
    1 by a power of two, which rounds nothing, so that its square neither overflows nor underflows.
    """
    if norm == "linf":
        return gradient.sign()
    _, exponent = torch.frexp(norm_of(gradient, "linf"))
    near_one = torch.ldexp(gradient, _like(-exponent.clamp(-FURTHEST, FURTHEST), gradient))
    length = norm_of(near_one, norm)
    return near_one / _like(torch.where(length > 0, length, 1), gradient)


def uniform_in_ball(like: Tensor, epsilon: float, norm: str, generator: torch.Generator) -> Tensor:
    """Draw one uniform point of the ball per image of ``like``: (n, ...) float32.

    L2: a Gaussian direction with radius ε·u^(1/dimension).
    """
    shape, device = like.shape, like.device
    if norm == "linf":
        draw = torch.rand(shape, generator=generator) * 2 - 1
        return epsilon * draw.to(device)
    direction = steepest(torch.randn(shape, generator=generator).to(device), norm)
    dimension = math.prod(shape[1:])
    radius = epsilon * torch.rand(shape[0], generator=generator) ** (1 / dimension)
    return direction * _like(radius, direction).to(device)
