"""A control: towards a common corruption of the image, with the norm matched after the clamp.

The direction is the corrupted image less the image, and it is followed beyond the corrupted image where
the norm asks for it. Severities are those that Hendrycks & Dietterich (2019) begin with, where they carry
over: a Gaussian blur of one pixel; contrast 0.4, about the mean of each channel; JPEG of quality 25.
"""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from interference.attacks.ascent import Ascent, unguided
from interference.attacks.draws import Draws
from interference.attacks.matching import along
from interference.attacks.victim import Victim

#: Pixels of the blur's kernel and of its deviation; the share of contrast that stays; JPEG's quality.
KERNEL, SIGMA, CONTRAST, QUALITY = 7, 1.0, 0.4, 25


def blur(x: Tensor) -> Tensor:
    return gaussian_blur(x, [KERNEL, KERNEL], [SIGMA, SIGMA])


def contrast(x: Tensor) -> Tensor:
    mean = x.mean((2, 3), keepdim=True)
    return mean + CONTRAST * (x - mean)


def jpeg(x: Tensor) -> Tensor:
    pixels = (x * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    decoded = np.empty_like(pixels)
    for image, place in zip(pixels, decoded, strict=True):
        file = io.BytesIO()
        Image.fromarray(image.squeeze(-1) if x.shape[1] == 1 else image).save(
            file, "jpeg", quality=QUALITY
        )
        place[:] = np.asarray(Image.open(file)).reshape(place.shape)
    return torch.from_numpy(decoded).permute(0, 3, 1, 2).to(x) / 255


CORRUPTIONS = {"blur": blur, "contrast": contrast, "jpeg": jpeg}


def perturb(
    victim: Victim, x: Tensor, *, norm: str, epsilon: float, draws: Draws, kind: str
) -> Ascent:
    """Go towards the corrupted image to norm epsilon. x: (n, 1 or 3, height, width) in [0, 1]."""
    return unguided(along(x, CORRUPTIONS[kind](x) - x, epsilon, norm))
