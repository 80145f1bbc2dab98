"""Random problems for the attacks and their bound."""

import torch

from interference.toy.problem import pose

SPEC = {
    "noise": 0.01,
    "pgd": {"starts": 2, "steps": 8, "relative_step": 0.5},
}


def weights(seed, *, features=12, hidden=4, batch=16, scale=0.6, bias=0.2, models=2):
    """W, b and sparse x of a random stack, with live, dead and crossing outputs."""
    random = torch.Generator().manual_seed(seed)
    W = torch.randn(models, hidden, features, generator=random) * scale
    b = torch.randn(models, features, generator=random) * bias
    x = (1 - torch.rand(models, features, batch, generator=random) * 3).relu()
    return W, b, x


def problem(seed, epsilon, **shape):
    """The problem of `weights` at one radius for all models."""
    W, b, x = weights(seed, **shape)
    return pose(W, b, x, torch.full((len(W),), epsilon))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_points(problem, count, random):
    """Points of the balls, half of them on the sphere, yielded as (S, m, B)."""
    shape = (*problem.push.shape[:2], problem.target.shape[-1])
    for i in range(count):
        v = torch.randn(shape, generator=random, dtype=torch.float64)
        v *= problem.radius / v.norm(dim=1, keepdim=True)
        yield v * torch.rand(shape[::2], generator=random)[:, None] if i % 2 else v
