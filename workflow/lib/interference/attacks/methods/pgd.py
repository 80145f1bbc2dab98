"""PGD (Madry et al. 2018), keeping the best iterate of each image."""

import torch
from torch import Tensor

from interference.attacks.ascent import Ascent, Loss, ascend
from interference.attacks.norms import uniform_in_ball


def perturb(
    loss: Loss,
    x: Tensor,
    *,
    norm: str,
    epsilon: float,
    steps: int,
    relative_step: float,
    random_start: bool,
    generator: torch.Generator,
) -> Ascent:
    """Take ``steps`` steps of ``relative_step`` × epsilon. x: (n, ...) in [0, 1].

    random_start: begin at a uniform point of the ball; else at x.
    """
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
