"""Intervals: Wilson's for a share, a paired bootstrap over images for everything else."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

#: Pairs below which a rank correlation is 1 or -1 by construction.
FEWEST_RANKED = 3


def wilson(successes: ArrayLike, n: ArrayLike, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's score interval for a share (Wilson 1927): (low, high), in [0, 1].

    successes, n: counts, of any one shape.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    successes, n = np.asarray(successes), np.asarray(n)
    share, shrink = successes / n, 1 + z**2 / n
    centre = (share + z**2 / (2 * n)) / shrink
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / shrink
    return np.maximum(centre - half, 0), np.minimum(centre + half, 1)


def resample(images: int, resamples: int, seed: int) -> np.ndarray:
    """Bootstrap weights (resamples, images) float64: how often each image is drawn. Rows sum to 1.

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


@dataclass(frozen=True)
class Bootstrap:
    """A paired bootstrap over the images of a table. Draws (1 + resamples,) begin with the estimate.

    images: how many images are drawn from.
    weights: (1 + resamples, images) float64, rows sum to 1; the first weighs all images the same,
        which gives the estimate, the others are `resample`'s.
    confidence: of intervals, in (0, 1).
    """

    images: int
    weights: np.ndarray
    confidence: float

    @classmethod
    def over(cls, frame: pd.DataFrame, spec: dict) -> "Bootstrap":
        """Over the images in the column image. spec: ``resamples``, ``seed`` and ``confidence``."""
        images = frame["image"].nunique()
        weights = resample(images, spec["resamples"], spec["seed"])
        weights = np.vstack([np.full(images, 1 / images), weights])
        return cls(images, weights, spec["confidence"])

    def limits(self, draws: np.ndarray) -> tuple[float, float]:
        """The interval of a quantity: (low, high). draws: (1 + resamples,)."""
        low, high = interval(draws[1:], self.confidence, self.images)
        return float(low), float(high)

    def columns(self, name: str, draws: np.ndarray) -> dict[str, float]:
        """The columns NAME, NAME_low and NAME_high of a quantity. draws: (1 + resamples,)."""
        low, high = self.limits(draws)
        return {name: float(draws[0]), f"{name}_low": low, f"{name}_high": high}


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks along the last axis from 0, ties averaged, float64."""
    below = (values[..., None, :] < values[..., :, None]).sum(-1)
    equal = (values[..., None, :] == values[..., :, None]).sum(-1)
    return below + (equal - 1) / 2


def rank_correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's ρ along the last axis, ties averaged; NaN where either is constant."""
    x, y = (r - r.mean(-1, keepdims=True) for r in (ranks(x), ranks(y)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (x * y).sum(-1) / np.sqrt((x**2).sum(-1) * (y**2).sum(-1))
