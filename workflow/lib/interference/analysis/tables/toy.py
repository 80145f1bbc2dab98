"""Toy models over their seeds, in long form."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from interference.analysis.frames import read_frames
from interference.analysis.shrinkage import shrinkage_share

KEYS = ["training", "density", "inputs", "attack"]


def build(spec: dict, toy: Sequence[Path]) -> pd.DataFrame:
    """One row per (training, density, inputs, attack, quantity).

    mean, low, high: over seeds; low and high are the extremes.
    seeds: how many. each: the number of every seed, such as 0: 1.234, 1: 1.301, for people to read.

    Of shrunk models, shrinkage_share, taken seed by seed, is a quantity too.

    toy: measurements, one row per model, inputs and attack.
    """
    frame = read_frames(toy)
    share = shrinkage_share(frame).rename("value").reset_index()
    measured = frame.melt(id_vars=[*KEYS, "seed"], var_name="quantity", value_name="value")
    long = pd.concat([measured, share.assign(training="shrunk", quantity="shrinkage_share")])
    long["each"] = [f"{seed}: {value:.4g}" for seed, value in zip(long["seed"], long["value"])]
    return (
        long.sort_values("seed", kind="stable")
        .groupby([*KEYS, "quantity"], as_index=False)
        .agg(
            mean=("value", "mean"),
            low=("value", "min"),
            high=("value", "max"),
            seeds=("value", "size"),
            each=("each", ", ".join),
        )
    )
