"""Reconstruction at equal sparsity: FVU of every network's SAEs at one measured L0.

Networks differ in how sparse a code of the same k or lambda comes out, so curves are compared at
the same measured L0: the geometric middle of the range that all networks of an architecture cover,
per layer, type and SAE seed.
"""

from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd

from interference.analysis.curves import common_l0, interpolate, member_draws
from interference.analysis.frames import MODEL, read_frames
from interference.analysis.statistics import FEWEST_RANKED, Bootstrap, rank_correlation

#: What SAEs have in common that are compared.
ALIKE = ["layer", "type", "sae_seed", "model_architecture"]
COLUMNS = ["layer", "type", "sae_seed", "l0", *MODEL, "family", "fvu", "trend", "epsilons"]


class Curve(NamedTuple):
    """A sweep of one network.

    network: the columns of MODEL.
    l0, fvu: (members, draws) float64.
    """

    network: dict
    l0: np.ndarray
    fvu: np.ndarray


class Point(NamedTuple):
    """A curve's FVU at the common L0. network: the columns of MODEL; fvu: (draws,) float64."""

    network: dict
    fvu: np.ndarray


def build(spec: dict, saes: Sequence[Path]) -> pd.DataFrame:
    """One row per (layer, type, SAE seed, family, model), and per kind of several trainings.

    l0, fvu: where curves are compared, and FVU there with its interval.
    trend: Spearman's ρ of FVU with epsilon over the family, with its interval; none of two networks,
        whose ρ is 1 or -1 by construction. Over trainings it is no narrower than chance's.
    epsilons: how many the family has, 0 among them.

    Left out are curves that share no L0, and those beside one of a single member.

    saes: tables of sweeps, one row per (member, image).
    """
    frame = read_frames(saes)
    bootstrap = Bootstrap.over(frame, spec)
    members, rows = member_draws(frame, bootstrap.weights), []
    for (layer, sae_type, sae_seed, _), part in members.groupby(ALIKE):
        curves = [_curve(key, sweep) for key, sweep in part.groupby(MODEL)]
        target = common_l0([curve.l0[:, 0] for curve in curves])
        if target is None or min(len(curve.l0) for curve in curves) < 2:
            continue
        where = {"layer": layer, "type": sae_type, "sae_seed": sae_seed, "l0": target}
        points = [Point(c.network, interpolate(c.l0, c.fvu, target)) for c in curves]
        rows += [{**where, **row} for row in _family_rows(points)]
    families = pd.DataFrame(rows, columns=COLUMNS)
    table = bootstrap.table(families, log=["fvu"], natural=["trend"], means=["l0"])
    ranked = table["epsilons"] >= FEWEST_RANKED
    low, high = no_narrower_than_chance(table, bootstrap.confidence)
    return table.assign(trend_low=low.where(ranked), trend_high=high.where(ranked))


def _curve(key: tuple, sweep: pd.DataFrame) -> Curve:
    l0, fvu = (np.stack(sweep[name].tolist()) for name in ("l0", "fvu"))
    return Curve(dict(zip(MODEL, key, strict=True)), l0, fvu)


def _family_rows(points: list[Point]) -> list[dict]:
    """One row per family and network of it: a family is the networks of one norm and seed with their
    clean baseline, or, where no network was trained against attacks, that alone."""
    trained = {
        (p.network["model_norm"], p.network["model_seed"])
        for p in points
        if p.network["model_norm"] != "clean"
    }
    rows = []
    for norm, seed in sorted(trained) or [("clean", p.network["model_seed"]) for p in points]:
        family = [
            p
            for p in points
            if p.network["model_norm"] in (norm, "clean") and p.network["model_seed"] == seed
        ]
        fvu = np.stack([point.fvu for point in family], axis=1)
        epsilons = np.array([point.network["model_epsilon"] for point in family])
        trend = rank_correlation(np.broadcast_to(epsilons, fvu.shape), fvu)
        for point in family:
            row = {"family": norm, "fvu": point.fvu, "trend": trend, "epsilons": len(family)}
            rows.append({**point.network, **row})
    return rows


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
