"""Toy models over their seeds: one number a (training, density, inputs, attack, quantity)."""

from pathlib import Path

import pandas as pd

from interference.analysis.frames import read_frames
from interference.analysis.shrinkage import shrinkage_share

KEYS = ["training", "density", "inputs", "attack"]


def build(spec: dict, toy: list[Path]) -> pd.DataFrame:
    """One row per (training, density, inputs, attack, quantity): mean, low, high (extremes), seeds.

    Of shrunk models, the quantity shrinkage_share is taken seed by seed too.
    toy: measurements, one row per model, inputs and attack.
    """
    frame = read_frames(toy)
    share = shrinkage_share(frame).rename("value").reset_index()
    long = pd.concat(
        [
            frame.melt(id_vars=[*KEYS, "seed"], var_name="quantity", value_name="value"),
            share.assign(training="shrunk", quantity="shrinkage_share"),
        ]
    )
    table = long.groupby([*KEYS, "quantity"], sort=True, as_index=False).agg(
        mean=("value", "mean"),
        low=("value", "min"),
        high=("value", "max"),
        seeds=("value", "size"),
    )
    return table
