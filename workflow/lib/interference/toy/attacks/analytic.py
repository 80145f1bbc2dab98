"""The attack read off the weights (Elhage et al. 2022, "Relationship to Adversarial Robustness").

The perturbation that moves output i most is δ ∝ ±(WᵀW)_i, so v ∝ ±M_i.
"""

import torch
from torch import Tensor

from interference.toy.attacks.one_step import steepest
from interference.toy.problem import Problem


def analytic(problem: Problem) -> Tensor:
    """The worst of ±M_i at full radius, over outputs i and signs, by the true loss.

    Returns v, (S, m, B).
    """
    directions = steepest(problem.push, problem.radius)
    # Every candidate is the same for all inputs: what it does to the outputs is formed once.
    pushes = problem.push.mT @ directions
    worst = torch.full_like(problem.target[:, 0], -torch.inf)
    index, sign = worst.new_zeros(worst.shape, dtype=torch.long), torch.zeros_like(worst)
    for i in range(pushes.shape[-1]):
        for s in (1.0, -1.0):
            output = (problem.clean + s * pushes[..., i : i + 1]).relu_()
            error = output.sub_(problem.target).square_().sum(-2)
            gains = error > worst
            worst = torch.where(gains, error, worst)
            index, sign = index.masked_fill(gains, i), sign.masked_fill(gains, s)
    chosen = directions.gather(-1, index.unsqueeze(-2).expand(-1, directions.shape[-2], -1))
    return chosen * sign.unsqueeze(-2)
