"""A control: the perturbations of an attack on the same network, each on another image.

What makes a perturbation of an image an attack is that it fits the image; its size and its spectrum are
the same on any other. It is lengthened or shortened on its new image until it has, after the clamp, the
norm that it had on its own.
"""

import torch
from torch import Generator, Tensor

from interference.attacks.ascent import Ascent, unguided
from interference.attacks.draws import Draws
from interference.attacks.matching import along
from interference.attacks.norms import norm_of
from interference.attacks.source import Source
from interference.attacks.victim import Victim


def partners(images: int, generator: Generator) -> Tensor:
    """Draw whose perturbation each image gets, never its own: (images,) int64, a permutation.

    One cycle through all images in random order. A single image gets its own.
    """
    order = torch.randperm(images, generator=generator)
    return torch.empty_like(order).index_copy(0, order, order.roll(1))


def perturb(
    victim: Victim, x: Tensor, *, norm: str, epsilon: float, draws: Draws, source: Source
) -> Ascent:
    """Add the perturbation of each image's partner. x: (n, ...) in [0, 1]."""
    direction = source.adversarial - source.clean
    return unguided(along(x, direction, norm_of(direction, norm), norm))
