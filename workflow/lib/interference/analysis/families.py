"""Families of networks: those of one norm and seed with their clean baseline, and trends over epsilon."""

from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd

from interference.analysis.statistics import FEWEST_RANKED, Bootstrap, rank_correlation


class Point(NamedTuple):
    """A quantity of one network. network: the columns of MODEL; draws: (draws,) float64."""

    network: dict
    draws: np.ndarray


def family_rows(points: Sequence[Point], quantity: str) -> Iterator[dict]:
    """One row per family and network of it, of networks that were not trained against attacks each its
    own: the columns of MODEL, family, ``quantity``, trend and epsilons.

    family: norm of the training. trend: Spearman's ρ of the quantity with epsilon, draws.
    epsilons: how many the family has, 0 among them.
    """
    trained = {
        (p.network["model_norm"], p.network["model_seed"])
        for p in points
        if p.network["model_norm"] != "clean"
    }
    for norm, seed in sorted(trained) or [("clean", p.network["model_seed"]) for p in points]:
        family = [
            p
            for p in points
            if p.network["model_norm"] in (norm, "clean") and p.network["model_seed"] == seed
        ]
        values = np.stack([point.draws for point in family], axis=1)
        epsilons = np.array([point.network["model_epsilon"] for point in family])
        trend = rank_correlation(np.broadcast_to(epsilons, values.shape), values)
        for point in family:
            yield {
                **point.network,
                "family": norm,
                quantity: point.draws,
                "trend": trend,
                "epsilons": len(family),
            }


def with_trends(bootstrap: Bootstrap, table: pd.DataFrame) -> pd.DataFrame:
    """The table with intervals of trends that are no narrower than chance's; none of two networks,
    whose ρ is 1 or -1 by construction.

    table: of `Bootstrap.table`, with trend and epsilons.
    """
    ranked = table["epsilons"] >= FEWEST_RANKED
    low, high = no_narrower_than_chance(table, bootstrap.confidence)
    return table.assign(trend_low=low.where(ranked), trend_high=high.where(ranked))


def no_narrower_than_chance(table: pd.DataFrame, confidence: float) -> tuple[pd.Series, pd.Series]:
    """The intervals of trends, widened over several trainings to what they are where epsilon does
    nothing: (low, high), each (rows,).

    ρ takes few values: equal ones of two or three trainings are no measure of how much they differ.
    Its variance over random orders is 1 / (epsilons − 1), that of the mean so much over the networks
    (Page 1963).

    table: trend with trend_low and trend_high, networks, epsilons.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    chance = z / (table["networks"] * (table["epsilons"] - 1)) ** 0.5
    chance = chance.where(table["networks"] > 1)  # where it is missing nothing is clipped
    low = table["trend_low"].clip(upper=table["trend"] - chance)
    high = table["trend_high"].clip(lower=table["trend"] + chance)
    return low.clip(lower=-1), high.clip(upper=1)
