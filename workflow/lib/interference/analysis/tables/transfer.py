"""Attacks on canvases that are made on the network of one seed, and shown to those of all others."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from interference.analysis.frames import read_frames

BY = ["regime", "decoder", "features", "dose", "region", "source_seed"]


def build(spec: dict, transfers: Sequence[Path]) -> pd.DataFrame:
    """One row per (regime, decoder, features, dose, region, seed of the attacked network).

    success: share of its attacks, or of noise, that flip the feature in another network, mean over the
        others. over_noise: that share less noise's. targets: how many others. pairs: of all of them.

    transfers: one row per (…, source_seed, target_seed, region); those of a source shown to itself, which
        are a check, do not count.
    """
    rows = read_frames(transfers)
    rows = rows[rows["source_seed"] != rows["target_seed"]]
    pair = [*(name for name in BY if name != "region"), "target_seed"]
    noise = rows[rows["region"] == "noise"].set_index(pair)["success"].rename("noise")
    rows = rows.join(noise, on=pair)
    rows["over_noise"] = rows["success"] - rows["noise"]
    return rows.groupby(BY, as_index=False).agg(
        success=("success", "mean"),
        over_noise=("over_noise", "mean"),
        targets=("target_seed", "nunique"),
        pairs=("pairs", "sum"),
    ).rename(columns={"source_seed": "seed"})  # fmt: skip
