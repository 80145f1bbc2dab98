"""What tables of MLPs over classes, hidden units and training epsilon share."""

import numpy as np
import pandas as pd

#: Columns that name an MLP and its trainings at all epsilons.
NETWORK = ["classes", "width", "seed"]


def alive(counts: pd.DataFrame) -> pd.Series:
    """Whether each row's network still tells classes apart: on clean images it is at least half as far above
    chance as the network of its classes, width and seed that was trained clean.

    counts: one row per (classes, width, seed, epsilon, images), with accuracy.
    """
    clean = counts[counts["epsilon"] == 0].set_index(NETWORK)["accuracy"]
    bar = (clean + 1 / clean.index.get_level_values("classes")) / 2
    needed = bar.reindex(pd.MultiIndex.from_frame(counts[NETWORK])).to_numpy()
    key = [*NETWORK, "epsilon"]
    living = counts[(counts["images"] == "clean") & (counts["accuracy"] >= needed)]
    there = counts.set_index(key).index.isin(living.set_index(key).index)
    return pd.Series(there, counts.index)


def gain(rows: pd.DataFrame, column: str, furthest: float) -> float:
    """What a line through a column over epsilon adds from 0 to ``furthest``; NaN of one epsilon."""
    points = rows[["epsilon", column]].dropna()
    if points["epsilon"].nunique() < 2:
        return np.nan
    return float(np.polyfit(points["epsilon"], points[column], 1)[0] * furthest)
