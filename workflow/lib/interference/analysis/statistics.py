"""Intervals: Wilson's for a share, a paired bootstrap over images for everything else."""

import math
from statistics import NormalDist

import numpy as np


def wilson(
    successes: np.ndarray, n: np.ndarray, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's score interval for a share (Wilson 1927): (low, high)."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, shrink = successes / n, 1 + z**2 / n
    centre = (share + z**2 / (2 * n)) / shrink
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / shrink
    return np.maximum(centre - half, 0), np.minimum(centre + half, 1)


def resample(images: int, resamples: int, seed: int) -> np.ndarray:
    """Bootstrap weights (resamples, images): how often each image is drawn. Rows sum to 1.

    The same weights for every quantity pair them: ratios and differences are taken within a draw.
    """
    counts = np.random.default_rng([seed, images]).multinomial(
        images, np.full(images, 1 / images), size=resamples
    )
    return counts / images


def fewest(confidence: float) -> int:
    """The fewest units that an interval of this confidence can rest on: six at 0.95.

    Even the whole range of n values covers their median with probability 1 - 2 ** (1 - n) only
    (David & Nagaraja 2003, section 7.1), and draws of n units never leave that range.
    """
    return math.ceil(1 - math.log2(1 - confidence) - 1e-9)


def interval(draws: np.ndarray, confidence: float, units: int) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval over the first axis of ``draws``: (low, high).

    units: what was drawn from; both ends are NaN where these are fewer than `fewest`.
    """
    if units < fewest(confidence):
        nothing = np.full(np.shape(draws)[1:], np.nan)
        return nothing[()], nothing[()]
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(draws, [tail, 1 - tail], axis=0)
    return low, high


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks along the last axis, ties averaged."""
    below = (values[..., None, :] < values[..., :, None]).sum(-1)
    equal = (values[..., None, :] == values[..., :, None]).sum(-1)
    return below + (equal - 1) / 2


#: Pairs below which a rank correlation is 1 or -1 by construction.
FEWEST_RANKED = 3


def rank_correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's ρ along the last axis, ties averaged; NaN where either is constant."""
    x, y = (r - r.mean(-1, keepdims=True) for r in (ranks(x), ranks(y)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (x * y).sum(-1) / np.sqrt((x**2).sum(-1) * (y**2).sum(-1))
