"""Proxies of superposition held against its known dose, and against what they should not follow."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.frames import read_frames
from interference.analysis.statistics import rank_correlation

#: What varies: the dose by the number of features at fixed dimensions, or by dimensions at fixed
#: features; and, at one dose, density, width, and the scale of activations.
DOSES, NUISANCES = ("dose_n", "dose_m"), ("density", "width", "scale")


def build(spec: dict, proxies: Sequence[Path]) -> pd.DataFrame:
    """One row per (regime, decoder, proxy, vary, seed).

    low, high, moves: the least and the largest value of the proxy, and their difference.
    of_dose: moves over that under the dose at fixed dimensions.
    spearman: rank correlation with the dose, where that varies. points: values.

    proxies: one row per (…, value of what varies).
    """
    keys = ["regime", "decoder", "proxy", "vary", "seed"]
    rows = [
        dict(zip(keys, key, strict=True)) | _of(part)
        for key, part in read_frames(proxies).groupby(keys)
    ]
    table = pd.DataFrame(rows)
    same = ["regime", "decoder", "proxy", "seed"]
    dose = table[table["vary"] == DOSES[0]].set_index(same)["moves"].rename("at_doses")
    at_doses = table.join(dose, on=same)["at_doses"]
    table["of_dose"] = table["moves"] / at_doses.where(at_doses > 0)
    return table[[*keys, "points", "low", "high", "moves", "of_dose", "spearman"]]


def _of(part: pd.DataFrame) -> dict:
    low, high = part["value"].min(), part["value"].max()
    ranked = part["vary"].iloc[0] in DOSES
    values = part["dose"].to_numpy(), part["value"].to_numpy()
    return {
        "points": len(part),
        "low": low,
        "high": high,
        "moves": high - low,
        "spearman": float(rank_correlation(*values)) if ranked else np.nan,
    }
