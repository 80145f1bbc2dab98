"""Pattern-wise trust region: for a fixed pattern of live ReLUs the loss is a convex quadratic.

Σ_{i live} (z_i − x_i + M_i · v)² has its exact maximum on the ball by `quadratic.maximise`. That
point may have another pattern, so the true loss decides, and the pattern is taken anew there.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from interference.toy.problem import Problem, better, preactivations
from interference.toy.quadratic import Maximum, maximise

#: Times that the pattern is taken anew; later ones gain less than 1 % (measured).
ROUNDS = 2


def trust_region(problem: Problem, starts: Sequence[Tensor]) -> Tensor:
    """The best of `ROUNDS` exact solutions from each start's pattern; returns v, (S, m, B).

    starts: each (S, m, B), in the ball. A start gives its pattern and is not itself an answer.
    """
    best = torch.zeros_like(starts[0])
    for v in starts:
        for _ in range(ROUNDS):
            alive = (preactivations(problem, v) > 0).to(v.dtype)
            v = weighted(problem, alive, alive * (problem.clean - problem.target)).v
            best = better(problem, best, v)
    return best


def weighted(problem: Problem, curvature: Tensor, slope: Tensor) -> Maximum:
    """Maximise Σ_i curvature_i t_i² + 2 slope_i t_i, t = Mᵀ v, on each input's ball.

    curvature, non-negative, and slope: (S, n, B). Returns v, (S, m, B), and bound, (S, B).
    """
    push = problem.push
    hidden = push.shape[-2]
    products = (push.unsqueeze(1) * push.unsqueeze(2)).flatten(1, 2)
    A = (products @ curvature).mT.unflatten(-1, (hidden, hidden))
    radius = problem.radius[:, 0].expand(-1, curvature.shape[-1])
    found = maximise(A, (push @ slope).mT, radius)
    return Maximum(found.v.mT.contiguous(), found.bound)
