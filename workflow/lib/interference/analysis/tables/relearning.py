"""MLPs that learn from attacks alone, over the training epsilon of the network that was attacked."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from interference.analysis.frames import read_frames
from interference.analysis.mlps import gain

NAMES = ["targets", "seed", "epsilon", "classes", "hidden", "source_accuracy", "success",
         "distance", "noise_distance", "accuracy", "noise_accuracy", "chance", "fitted",
         "noise_fitted", "gain"]  # fmt: skip


def build(spec: dict, relearned: Sequence[Path]) -> pd.DataFrame:
    """One row per (targets, seed, training epsilon of the network that was attacked).

    gain is what a line through accuracy over epsilon adds from 0 to the largest; the same number stands in
    all rows of a seed and kind of targets, and what concerns noise in all of its epsilons.

    relearned: one row per (seed, epsilon, targets).
    """
    rows = read_frames(relearned)
    rows["chance"] = 1 / rows["classes"]
    furthest, by = rows["epsilon"].max(), ["targets", "seed"]
    gains = {key: gain(own, "accuracy", furthest) for key, own in rows.groupby(by)}
    rows["gain"] = [gains[key] for key in zip(rows["targets"], rows["seed"])]
    return rows[NAMES].sort_values([*by, "epsilon"], ignore_index=True)
