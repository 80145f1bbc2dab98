"""Intervals: Wilson's for a share, a paired bootstrap over images for everything else, and over
trainings as well where there are several.

The same images are seen by every network, and SAE seeds lie within a network: images are crossed with
trainings. The two kinds of chance are independent, so half-widths add in quadrature, as Banerjee's do
(1960): under normal errors the coverage is never less than claimed, however few the trainings.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtrit

#: Pairs below which a rank correlation is 1 or -1 by construction.
FEWEST_RANKED = 3
#: Columns that name one of several trainings of a kind of network, or of SAE.
TRAINING = ["model", "model_seed", "sae_seed"]
#: Columns that say what a row of `Bootstrap.table` is over.
OVER = ["about", "networks", "sae_seeds", "images"]


def wilson(successes: ArrayLike, n: ArrayLike, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's score interval for a share (Wilson 1927): (low, high), in [0, 1].

    Rounded, too, the share is never outside: of none the low end is 0, of all the high end 1.

    successes, n: counts, of any one shape.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    successes, n = np.asarray(successes), np.asarray(n)
    share, shrink = successes / n, 1 + z**2 / n
    centre = (share + z**2 / (2 * n)) / shrink
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / shrink
    return np.clip(centre - half, 0, share), np.clip(centre + half, share, 1)


def student(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """Student's interval of a mean: (low, high), both NaN of fewer than two values. values: (n,)."""
    if len(values) < 2:
        return np.nan, np.nan
    half = stdtrit(len(values) - 1, (1 + confidence) / 2) * values.std(ddof=1) / len(values) ** 0.5
    return float(values.mean() - half), float(values.mean() + half)


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
        """The interval of a quantity over images: (low, high). draws: (1 + resamples,)."""
        low, high = interval(draws[1:], self.confidence, self.images)
        return float(low), float(high)

    def over_trainings(self, draws: np.ndarray) -> tuple[float, float]:
        """The interval of the mean of trainings, over trainings and images: (low, high).

        The distance of each end from the mean is √(t² s²/n + d²): t is Student's quantile at n − 1
        degrees of freedom, s the standard deviation of the n estimates, and d that of the interval
        over images. What of an image differs between networks is in both, so it is on the wide side.

        draws: (trainings, 1 + resamples), on the scale on which trainings are averaged. Of one
            training it is the interval over images.
        Source: Banerjee 1960, Sankhyā 22.
        """
        means, n = draws.mean(0), len(draws)
        low, high = self.limits(means)
        if n > 1:
            t = stdtrit(n - 1, (1 + self.confidence) / 2)
            half = t * draws[:, 0].std(ddof=1) / np.sqrt(n)
            low = means[0] - np.hypot(half, max(means[0] - low, 0))
            high = means[0] + np.hypot(half, max(high - means[0], 0))
        return float(low), float(high)

    def table(
        self,
        members: pd.DataFrame,
        *,
        log: Sequence[str] = (),
        natural: Sequence[str] = (),
        means: Sequence[str] = (),
    ) -> pd.DataFrame:
        """A row per network or SAE with intervals over images, and one per kind that has several.

        NAME, NAME_low, NAME_high: of each quantity.
        about: ``this network`` of rows about one; ``networks`` of rows about several, whose model and
            seeds are missing; ``one of several`` of those that such a row is the mean of. SAE seeds of
            one network have a row, too, about ``this network``.
        networks, sae_seeds, images: how many networks, SAE seeds of each, and images.

        Networks are averaged, and before them the SAE seeds of each.

        members: one row per network or SAE: the columns of TRAINING, of each quantity its draws
            (1 + resamples,), and columns that name its kind.
        log, natural: the quantities that are averaged as logarithms, and as they are.
        means: columns of numbers that are averaged, without an interval.
        """
        quantities = [*log, *natural]
        kind_of = list(members.columns.drop([*TRAINING, *quantities, *means]))
        rows: list[dict] = []
        records = members.to_dict("records")
        for places in members.groupby(kind_of, dropna=False).indices.values():
            about = "this network" if len(places) == 1 else "one of several"
            for member in (records[place] for place in places):
                limits: dict[str, float] = {}
                for name in quantities:
                    limits |= _named(name, member[name][0], *self.limits(member[name]))
                over = dict(zip(OVER, (about, 1, 1, self.images), strict=True))
                rows.append({**member, **limits, **over})
            if len(places) > 1:
                kind = members.iloc[places]
                common = dict(kind.iloc[0][kind_of]) | dict.fromkeys(TRAINING)
                rows.append({**common, **self._mean_of(kind, log, natural, means)})
        names = [
            column
            for name in members.columns
            for column in (_named(name, 0, 0, 0) if name in quantities else [name])
        ]
        table = pd.DataFrame(rows, columns=[*names, *OVER])
        return table.astype({"model_seed": "Int64", "sae_seed": "Int64"})

    def _mean_of(
        self,
        kind: pd.DataFrame,
        log: Sequence[str],
        natural: Sequence[str],
        means: Sequence[str],
    ) -> dict:
        """Of the row of several: all but what names it."""
        networks, seeds = kind["model"].nunique(), kind["sae_seed"].nunique()
        units = [unit for _, unit in kind.groupby("model" if networks > 1 else "sae_seed")]
        row: dict = {name: np.mean([unit[name].mean() for unit in units]) for name in means}
        for name in natural:
            draws = np.stack([np.mean(unit[name].tolist(), axis=0) for unit in units])
            row |= _named(name, draws[:, 0].mean(), *self.over_trainings(draws))
        for name in log:
            with np.errstate(divide="ignore", invalid="ignore"):
                draws = np.stack([np.log(unit[name].tolist()).mean(0) for unit in units])
                ends = draws[:, 0].mean(), *self.over_trainings(draws)
            row |= _named(name, *np.exp(ends))
        about = "networks" if networks > 1 else "this network"
        return row | dict(zip(OVER, (about, networks, seeds, self.images), strict=True))


def _named(name: str, value: float, low: float, high: float) -> dict[str, float]:
    return {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks along the last axis from 0, ties averaged, float64; all NaN where one of the values is."""
    below = (values[..., None, :] < values[..., :, None]).sum(-1)
    equal = (values[..., None, :] == values[..., :, None]).sum(-1)
    unknown = np.isnan(values).any(-1, keepdims=True)
    return np.where(unknown, np.nan, below + (equal - 1) / 2)


def rank_correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's ρ along the last axis, ties averaged; NaN where either is constant or lacks a number."""
    x, y = (r - r.mean(-1, keepdims=True) for r in (ranks(x), ranks(y)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (x * y).sum(-1) / np.sqrt((x**2).sum(-1) * (y**2).sum(-1))
