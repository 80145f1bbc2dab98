"""Least changes that flip predictions: their median per network, and its trend over the training epsilon."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.families import Point, family_rows, with_trends
from interference.analysis.frames import MODEL, read_frames
from interference.analysis.statistics import Bootstrap

COLUMNS = [*MODEL, "sae_seed", "family", "radius", "trend", "epsilons", "nearest", "of_nearest"]


def build(spec: dict, least: Sequence[Path]) -> pd.DataFrame:
    """One row per (family, network), and per kind of several trainings.

    radius, nearest, of_nearest: medians over images of the least change, of the distance to the nearest
    image that is taken for another class, and of the one over the other.
    family, trend, epsilons: of `family_rows`, the trend of the radius with its interval (`with_trends`).

    least: tables of `attacks.least`, one row per image of a network.
    """
    frame = read_frames(least).sort_values([*MODEL, "image"], kind="stable")
    frame["of_nearest"] = frame["radius"] / frame["nearest"]
    bootstrap, rows = Bootstrap.over(frame, spec), []
    for _, networks in frame.groupby("model_architecture"):
        of_model: dict[str, dict] = {}
        for key, part in networks.groupby(MODEL):
            draws = {
                name: medians(part[name].to_numpy(), bootstrap.weights)
                for name in ("radius", "nearest", "of_nearest")
            }
            of_model[part["model"].iloc[0]] = {**dict(zip(MODEL, key, strict=True)), **draws}
        points = [
            Point({name: model[name] for name in MODEL}, model["radius"])
            for model in of_model.values()
        ]
        for row in family_rows(points, "radius"):
            rest = {name: of_model[row["model"]][name] for name in ("nearest", "of_nearest")}
            rows.append({**row, **rest, "sae_seed": 0})  # which a training is told apart by, too
    table = bootstrap.table(
        pd.DataFrame(rows, columns=COLUMNS),
        log=["radius", "nearest", "of_nearest"],
        natural=["trend"],
    )
    return with_trends(bootstrap, table.drop(columns="sae_seed"))


def medians(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The median under each row of weights, the lower of two: (draws,) float64.

    values: (images,); weights: (draws, images), rows sum to 1.
    """
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[:, order], axis=1)
    return values[order][(below < 0.5 - 1e-9).sum(1)].astype(np.float64)
