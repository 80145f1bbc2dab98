"""Claims in words: their arm, their numbers, their verdicts together."""

import math
from collections.abc import Mapping

import pandas as pd

from interference.analysis.findings import CHECKS, VERDICTS


def interval(row: Mapping, places: int = 3) -> str:
    """A claim's number and interval: 0.940 [0.930, 0.960]."""
    if math.isnan(row["measured"]):
        return "not measured"
    measured, low, high = (f"{row[name]:.{places}f}" for name in ("measured", "low", "high"))
    return f"{measured} (no interval)" if math.isnan(row["low"]) else f"{measured} [{low}, {high}]"


def together(rows: pd.DataFrame) -> str:
    """The verdict on a claim: of one case with its number and interval, of several how many have which.

    rows: of the table claims, one per case, at least one.
    """
    if len(rows) == 1:
        row = rows.iloc[0].to_dict()
        return f"{row['verdict']}: {interval(row, places=2)}"
    found = rows["verdict"].value_counts()
    first, *others = [f"{said} ({found[said]}" for said in VERDICTS if said in found]
    return "), ".join([f"{first} of {len(rows)}", *others]) + ")"


def checks(claims: pd.DataFrame) -> str:
    """How many of the checks of attacks hold; empty where the table claims has none."""
    rows = claims[claims["source"].isin(CHECKS)]
    held = (rows["verdict"] == "reproduced").sum()
    return f"{held} of {len(rows)} checks of attacks hold" if len(rows) else ""
