"""Reconstruction at equal sparsity: FVU of every network's SAEs at one measured L0.

Networks differ in how sparse a code of the same k or lambda comes out, so curves are compared at
the same measured L0: the geometric middle of the range that all networks of an architecture cover,
per layer, type and SAE seed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from interference.analysis.curves import common_l0, interpolate, member_draws
from interference.analysis.frames import MODEL, read_frames
from interference.analysis.statistics import FEWEST_RANKED, Bootstrap, rank_correlation

#: What SAEs have in common that are compared.
ALIKE = ["layer", "type", "sae_seed", "model_architecture"]
COLUMNS = ["layer", "type", "sae_seed", "l0", *MODEL, "family", "fvu", "low", "high",
           "trend", "trend_low", "trend_high", "networks", "images"]  # fmt: skip


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
    """One row per (layer, type, SAE seed, family, model).

    l0, fvu, low, high: where curves are compared, and FVU there with its interval.
    trend, trend_low, trend_high: Spearman's ρ of FVU with epsilon over the family; no interval of
        two networks, whose ρ is 1 or -1 by construction.
    networks, images: how many the family has, and intervals are over.

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
        rows += [{**where, **row} for row in _family_rows(points, bootstrap)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _curve(key: tuple, sweep: pd.DataFrame) -> Curve:
    l0, fvu = (np.stack(sweep[name].tolist()) for name in ("l0", "fvu"))
    return Curve(dict(zip(MODEL, key, strict=True)), l0, fvu)


def _family_rows(points: list[Point], bootstrap: Bootstrap) -> list[dict]:
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
        trend = _trend(family, bootstrap)
        for point in family:
            low, high = bootstrap.limits(point.fvu)
            value = {"fvu": point.fvu[0], "low": low, "high": high}
            rows.append({**point.network, "family": norm, **value, **trend})
    return rows


def _trend(family: list[Point], bootstrap: Bootstrap) -> dict:
    fvu = np.stack([point.fvu for point in family], axis=1)
    epsilons = np.array([point.network["model_epsilon"] for point in family])
    trend = bootstrap.columns("trend", rank_correlation(np.broadcast_to(epsilons, fvu.shape), fvu))
    if len(family) < FEWEST_RANKED:
        trend |= {"trend_low": np.nan, "trend_high": np.nan}
    return {**trend, "networks": len(family), "images": bootstrap.images}
