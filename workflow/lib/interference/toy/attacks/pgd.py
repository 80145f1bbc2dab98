"""Projected gradient ascent from several starts (Madry et al. 2018), in the hidden space."""

import torch
from torch import Tensor

from interference.toy.attacks.one_step import steepest
from interference.toy.problem import Problem, better, gradient


def pgd(
    problem: Problem,
    first: Tensor,
    random: torch.Generator,
    *,
    starts: int,
    steps: int,
    relative_step: float,
) -> Tensor:
    """The best point of every start and of the way from it; returns v, (S, m, B).

    It starts from ``first``, (S, m, B), then ``starts`` times from points uniform in the ball, shared
    by the models of the stack (of each radius). A step is ``relative_step`` radii along the
    gradient, and back onto the ball.
    """
    best = first
    for start in range(starts + 1):
        v = first if start == 0 else problem.radius * _uniform_in_the_ball(first, random)
        for _ in range(steps):
            v = v + steepest(gradient(problem, v), relative_step * problem.radius)
            v *= (problem.radius / v.norm(dim=-2, keepdim=True)).clamp_(max=1)
            best = better(problem, best, v)
    return best


def _uniform_in_the_ball(like: Tensor, random: torch.Generator) -> Tensor:
    """Points of the unit ball, (m, B), the same for each model. like: (S, m, B)."""
    _, hidden, batch = like.shape
    z = torch.randn(hidden, batch, generator=random, dtype=like.dtype)
    u = torch.rand(1, batch, generator=random, dtype=like.dtype)
    return steepest(z.unsqueeze(0), u ** (1 / hidden))
