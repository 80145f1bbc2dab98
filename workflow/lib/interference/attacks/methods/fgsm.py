"""FGSM: one full step, no random start (Goodfellow et al. 2015; L2 form as in Foolbox)."""

import torch
from torch import Tensor

from interference.attacks.ascent import Ascent, Loss, ascend


def perturb(
    loss: Loss,
    x: Tensor,
    *,
    norm: str,
    epsilon: float,
    generator: torch.Generator,
) -> Ascent:
    """Take one step of length epsilon, which is PGD with one step. x: (n, ...) in [0, 1]."""
    return ascend(
        loss,
        x,
        norm=norm,
        epsilon=epsilon,
        steps=1,
        relative_step=1.0,
        start=None,
        keep_best=False,
    )
