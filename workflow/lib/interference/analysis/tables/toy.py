"""Toy models over their seeds: one number a (training, density, quantity), with its range."""

from pathlib import Path

import pandas as pd

from interference.analysis.frames import read_frames

KEYS = ["training", "density", "attack"]


def build(spec: dict, inputs: list[Path]) -> pd.DataFrame:
    """One row a (training, density, attack, quantity): mean, low, high (extremes), seeds."""
    frame = read_frames(inputs)
    long = frame.melt(id_vars=[*KEYS, "seed"], var_name="quantity", value_name="value")
    table = long.groupby([*KEYS, "quantity"], sort=True, as_index=False).agg(
        mean=("value", "mean"),
        low=("value", "min"),
        high=("value", "max"),
        seeds=("value", "size"),
    )
    return table
