"""Effective features of MLPs over classes, hidden units and training epsilon."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.frames import read_frames

NETWORK = ["classes", "width", "seed"]
COUNTS = ["features", "units"]


def build(spec: dict, counts: Sequence[Path]) -> pd.DataFrame:
    """One row per (classes, width, seed, training epsilon): an MLP, and what its counts come to.

    A gain is what a line through change over epsilon, clean and attacked rows together, adds from 0 to
    the largest epsilon: the source's normalised slope times that epsilon. The same number stands in all
    rows of a network's classes, width and seed, as does the accuracy on clean images that is lost from
    epsilon 0 to the largest.

    counts: one row per (classes, width, seed, epsilon, images).
    """
    rows = read_frames(counts)
    clean = rows[rows["epsilon"] == 0].set_index(NETWORK)
    for name in COUNTS:
        before = clean[name].reindex(pd.MultiIndex.from_frame(rows[NETWORK]))
        rows[f"{name}_change"] = rows[name] / before.where(before > 0).to_numpy() - 1
    # half as far above chance as the clean network
    bar = (clean["accuracy"] + 1 / clean.index.get_level_values("classes")) / 2
    needed = bar.reindex(pd.MultiIndex.from_frame(rows[NETWORK])).to_numpy()
    alive = rows[(rows["images"] == "clean") & (rows["accuracy"] >= needed)]
    rows["alive"] = rows.set_index([*NETWORK, "epsilon"]).index.isin(
        alive.set_index([*NETWORK, "epsilon"]).index
    )
    gains = [{**dict(zip(NETWORK, key)), **_gains(own)} for key, own in rows.groupby(NETWORK)]
    table = _beside(rows).merge(pd.DataFrame(gains), on=NETWORK)
    return table.sort_values([*NETWORK, "epsilon"], ignore_index=True)


def _beside(rows: pd.DataFrame) -> pd.DataFrame:
    """What is counted on clean images, and on attacked ones beside it."""
    clean, attacked = (rows[rows["images"] == kind] for kind in ("clean", "attacked"))
    key = [*NETWORK, "epsilon"]
    attacked = attacked.set_index(key)[["accuracy", *COUNTS]]
    renamed = {"accuracy": "robust", **{name: f"{name}_attacked" for name in COUNTS}}
    table = clean.assign(psi=clean["features"] / clean["width"])
    names = [*key, "accuracy", "alive", *COUNTS, "psi", "fvu", "l0", "features_change"]
    return table[names].join(attacked.rename(columns=renamed), on=key)


def _gains(own: pd.DataFrame) -> dict[str, float]:
    """Of one network's classes, width and seed, over all its epsilons."""
    furthest, alive = own["epsilon"].max(), own[own["alive"]]
    clean = own[own["images"] == "clean"].set_index("epsilon")["accuracy"]
    gain, unit_gain = (_gain(own, f"{name}_change", furthest) for name in COUNTS)
    return {
        "gain": gain,
        "gain_alive": _gain(alive, "features_change", furthest),
        "unit_gain": unit_gain,
        "gain_beyond": gain - unit_gain,
        "accuracy_lost": clean[0.0] - clean[furthest],
    }


def _gain(own: pd.DataFrame, column: str, furthest: float) -> float:
    """The slope of a column on epsilon, times the largest epsilon; NaN of one epsilon."""
    points = own[["epsilon", column]].dropna()
    if points["epsilon"].nunique() < 2:
        return np.nan
    return float(np.polyfit(points["epsilon"], points[column], 1)[0] * furthest)
