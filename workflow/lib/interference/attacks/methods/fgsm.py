"""FGSM: one full step, no random start (Goodfellow et al. 2015; L2 form as in Foolbox)."""

from collections.abc import Callable

import torch
from torch import Tensor

from interference.attacks.ascent import Ascent, ascend


def perturb(
    loss: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    norm: str,
    epsilon: float,
    generator: torch.Generator,
) -> Ascent:
    """PGD with one step of relative length 1 (science: FGSM is exactly this). x: (n, ...)."""
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
