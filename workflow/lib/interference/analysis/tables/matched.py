"""Reconstruction at equal sparsity: FVU of every network's SAEs at one measured L0.

Networks differ in how sparse a code of the same k or lambda comes out, so curves are compared at
the same measured L0: the geometric middle of the range that all networks of an architecture cover,
a layer and type.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from interference.analysis.curves import common_l0, interpolate, member_draws
from interference.analysis.frames import MODEL, read_frames
from interference.analysis.statistics import (
    FEWEST_RANKED,
    interval,
    rank_correlation,
    resample,
)


class Network(NamedTuple):
    """A network as the columns of MODEL name it, in their order."""

    model: str
    architecture: str
    norm: str
    epsilon: float
    seed: int


def build(spec: dict, saes: list[Path]) -> pd.DataFrame:
    """One row per (layer, type, SAE seed, model): l0, fvu, low, high; and of the trend over models
    of one architecture, norm and seed, clean included: trend (Spearman's ρ of FVU with epsilon),
    its interval (none of two networks, whose ρ is 1 or -1 by construction), networks, and the
    images that intervals are over.

    saes: manifests of fits, each with its per-image table beside it.
    """
    frame = read_frames([path.with_suffix(".parquet") for path in saes])
    images = frame["image"].nunique()
    weights = resample(images, spec["resamples"], spec["seed"])
    weights = np.vstack([np.full(images, 1 / images), weights])
    members = member_draws(frame, weights)
    rows = []
    alike = ["layer", "type", "sae_seed", "model_architecture"]
    for (layer, sae_type, sae_seed, _), part in members.groupby(alike):
        curves = {Network(*key): _stack(curve) for key, curve in part.groupby(MODEL)}
        target = common_l0([l0[:, 0] for l0, _ in curves.values()])
        if target is None or min(len(l0) for l0, _ in curves.values()) < 2:
            continue
        where = {"layer": layer, "type": sae_type, "sae_seed": sae_seed, "l0": target}
        at = {network: interpolate(*curve, target) for network, curve in curves.items()}
        rows += _rows(where, at, spec["confidence"], images)
    columns = ["layer", "type", "sae_seed", "l0", *MODEL, "family", "fvu", "low", "high"]
    columns += ["trend", "trend_low", "trend_high", "networks", "images"]
    return pd.DataFrame(rows, columns=columns)


def _stack(curve: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return np.stack(curve["l0"].tolist()), np.stack(curve["fvu"].tolist())


def _rows(where: dict, at: dict[Network, np.ndarray], confidence: float, images: int) -> list[dict]:
    """Rows of one layer, type and SAE seed, by families: the models of one norm and seed with
    their clean baseline.

    at: FVU of each network at the common L0, (1 + resamples,), the first of all images.
    """
    rows = []
    families = sorted({(network.norm, network.seed) for network in at if network.norm != "clean"})
    for norm, seed in families or [("clean", network.seed) for network in at]:
        family = {
            network: fvu
            for network, fvu in at.items()
            if network.norm in (norm, "clean") and network.seed == seed
        }
        epsilons = np.array([network.epsilon for network in family])
        trends = rank_correlation(
            np.broadcast_to(epsilons, (len(next(iter(family.values()))), len(epsilons))),
            np.stack(list(family.values()), axis=1),
        )
        low, high = interval(trends[1:], confidence, images)
        if len(family) < FEWEST_RANKED:
            low = high = np.nan
        trend = {"trend": trends[0], "trend_low": low, "trend_high": high}
        trend |= {"networks": len(family), "images": images}
        for network, fvu in family.items():
            fvu_low, fvu_high = interval(fvu[1:], confidence, images)
            value = {"fvu": fvu[0], "low": fvu_low, "high": fvu_high}
            name = dict(zip(MODEL, network, strict=True))
            rows.append({**where, **name, "family": norm, **value, **trend})
    return rows
