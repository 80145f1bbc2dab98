"""A control: noise of low or high spatial frequencies, with the norm matched after the clamp.

Gaussian noise without the frequencies of its 2-D spectrum that lie beyond the cutoff, half of Nyquist's
frequency in every direction, or within it. The mean of the image is a low frequency like any other. In
Linf, too, the noise stays Gaussian, since signs would have every frequency; the clamp leaks some.
"""

import torch
from torch import Tensor

from interference.attacks.ascent import Ascent, unguided
from interference.attacks.draws import Draws
from interference.attacks.matching import along
from interference.attacks.victim import Victim

#: Cycles per pixel; Nyquist's frequency is a half.
CUTOFF = 0.25


def filtered(noise: Tensor, band: str) -> Tensor:
    """Return what is left of the noise in a band, low or high: (n, channels, height, width)."""
    height, width = noise.shape[2:]
    rows, columns = torch.fft.fftfreq(height), torch.fft.rfftfreq(width)
    low = torch.hypot(rows[:, None], columns[None, :]).to(noise.device) <= CUTOFF
    spectrum = torch.fft.rfft2(noise) * (low if band == "low" else ~low)
    return torch.fft.irfft2(spectrum, s=(height, width))


def perturb(
    victim: Victim, x: Tensor, *, norm: str, epsilon: float, draws: Draws, band: str
) -> Ascent:
    """Add noise of one band and norm epsilon. x: (n, channels, height, width) in [0, 1]."""
    direction = filtered(draws.normal(*x.shape[1:]), band)
    return unguided(along(x, direction, epsilon, norm))
