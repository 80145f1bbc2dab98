"""A control: the adversarial images that an attack found on another network, as they are.

The perturbation fits the image, but not the network; its norm is its own.
"""

import torch
from torch import Generator, Tensor

from interference.attacks.ascent import Ascent, unguided
from interference.attacks.draws import Draws
from interference.attacks.source import Source
from interference.attacks.victim import Victim


def partners(images: int, generator: Generator) -> Tensor:
    """Return each image itself: (images,) int64."""
    return torch.arange(images)


def perturb(
    victim: Victim, x: Tensor, *, norm: str, epsilon: float, draws: Draws, source: Source
) -> Ascent:
    """Return the source's adversarial images. x: (n, ...) in [0, 1]."""
    return unguided(source.adversarial)
