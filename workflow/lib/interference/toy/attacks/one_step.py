"""One step along a noisy gradient (Gorton & Lewis 2025, arXiv 2508.17456, toy models)."""

import torch
from torch import Tensor

from interference.toy.problem import Problem, gradient

#: Norm of a gradient below which it is taken for zero; the perturbation then vanishes with it.
TINY = 1e-12


def steepest(direction: Tensor, length: Tensor) -> Tensor:
    """Each column of ``direction``, (S, m, B), scaled to ``length``, (S, 1, 1) or (S, 1, B)."""
    return direction * (length / direction.norm(dim=-2, keepdim=True).clamp_(min=TINY))


def one_step(problem: Problem, random: torch.Generator, *, noise: float) -> Tensor:
    """One step of the whole radius along the gradient at a noisy point; returns v, (S, m, B).

    Standard normal noise on x acts through W alone, so it is ``noise`` times a standard normal v.
    It wakes ReLUs that are dead at x; it moves only the point where the gradient is taken and is
    never part of the perturbation. The models of the stack share it.
    """
    hidden, batch = problem.push.shape[-2], problem.target.shape[-1]
    z = torch.randn(hidden, batch, generator=random, dtype=problem.push.dtype)
    point = (noise * z).expand(len(problem.push), -1, -1)
    return steepest(gradient(problem, point), problem.radius)
