"""PGD (Madry et al. 2018), keeping the best iterate of each image."""

from collections.abc import Callable

import torch
from torch import Tensor

from interference.attacks.ascent import Ascent, ascend
from interference.attacks.norms import uniform_in_ball


def perturb(
    loss: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    norm: str,
    epsilon: float,
    steps: int,
    relative_step: float,
    random_start: bool,
    generator: torch.Generator,
) -> Ascent:
    """``steps`` steps of ``relative_step`` × epsilon from a uniform point of the ball. x: (n, ...)."""
    return ascend(
        loss,
        x,
        norm=norm,
        epsilon=epsilon,
        steps=steps,
        relative_step=relative_step,
        start=uniform_in_ball(x, epsilon, norm, generator) if random_start else None,
        keep_best=True,
    )
