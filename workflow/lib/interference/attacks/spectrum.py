"""What perturbations look like: where in the spectrum their energy lies, and how alike neighbours are.

Frequencies are radial, over Nyquist's: 1 is half a cycle per pixel, which on images of n × n pixels is
n / 2 cycles per image, and √2 the corner. Everything is in float64, per image, channels summed; NaN of
a perturbation that is zero.
"""

import torch
from torch import Tensor

#: Ends of the bands, octaves up to Nyquist's frequency; the last band is what lies beyond, in corners.
ENDS = (1 / 8, 1 / 4, 1 / 2, 1)
BANDS = len(ENDS) + 1


def frequencies(side: int) -> Tensor:
    """Return the frequency of each entry of a 2-D transform: (side, side) float64, over Nyquist's."""
    along = 2 * torch.fft.fftfreq(side, dtype=torch.float64)
    return torch.hypot(along[:, None], along[None, :])


def spectrum(delta: Tensor) -> Tensor:
    """Return the share of an image's energy at each frequency, the mean included: (n, side, side).

    delta: (n, channels, side, side).
    """
    power = torch.fft.fft2(delta.double()).abs().square().sum(1)
    return power / power.sum((1, 2), keepdim=True)


def band_shares(delta: Tensor) -> Tensor:
    """Return the share of the energy in each band, the lowest first, which has the mean: (n, BANDS).

    A band has its upper end. White noise has in each its area. delta: (n, channels, side, side).
    """
    energy = spectrum(delta)
    band = torch.bucketize(frequencies(delta.shape[-1]), torch.tensor(ENDS, dtype=torch.float64))
    within = [(energy * (band == i).to(energy.device)).sum((1, 2)) for i in range(BANDS)]
    return torch.stack(within, dim=1)


def centroid(delta: Tensor) -> Tensor:
    """Return the mean frequency, weighted by energy: (n,). delta: (n, channels, side, side)."""
    places = frequencies(delta.shape[-1]).to(delta.device)
    return (spectrum(delta) * places).sum((1, 2))


def coherence(delta: Tensor) -> Tensor:
    """Return how alike pixels are to those beside and below them: (n,), from −1 to 1.

    Σ ab / Σ (a² + b²)/2 over all such pairs, around zero and not around the mean: 1 where all pixels are
    equal, −1 on a checkerboard, 0 of white noise on average. delta: (n, channels, side, side).
    """
    d = delta.double()
    pairs = ((d[..., :-1], d[..., 1:]), (d[..., :-1, :], d[..., 1:, :]))
    products = torch.stack([(a * b).flatten(1).sum(1) for a, b in pairs])
    squares = torch.stack([(a.square() + b.square()).flatten(1).sum(1) / 2 for a, b in pairs])
    return products.sum(0) / squares.sum(0)
