"""Perturbations along a direction, of a norm that holds after the clamp to [0, 1].

Clamping shortens a perturbation, so what is scaled before it comes out weaker than what it is compared
with. Here bisection finds, per image, the length along the direction for which
‖clamp(x + t·u) − x‖ is the norm asked for.
"""

import torch
from torch import Tensor

from interference.attacks.norms import TINY, norm_of

#: Halvings of the bracket: float32 has no more to give.
HALVINGS = 60
#: The bracket's end, over the length that has the norm where nothing is clamped: every pixel whose
#: direction is a millionth of the longest is at its bound there.
FURTHEST = 1e6


def along(x: Tensor, direction: Tensor, target: Tensor | float, norm: str) -> Tensor:
    """Return the images x + t·direction in [0, 1] whose perturbation has the norm ``target``.

    x, direction: (n, ...). target: the norm, or one per image (n,).
    An image on which no length reaches the norm (nearly all pixels already at the bound that they are
    pushed to) gets the largest norm that one does. Where the direction is zero, the image stays.
    """
    lengths = norm_of(direction, norm).clamp_min(TINY)

    def moved(length: Tensor) -> Tensor:
        return (x + (length / lengths).view(-1, *[1] * (x.dim() - 1)) * direction).clamp(0, 1)

    low = torch.zeros_like(lengths)
    high = FURTHEST * (low + target)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        inside = norm_of(moved(middle) - x, norm) <= target
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    return moved(low)
