"""What claims of the preprint's rivals are about: quantities per seed, with Student's intervals over seeds.

Each takes a subject's rows of the table bottlenecks or abundance and the spec of the table claims, and
settings of its own by name; None where the rows lack what it needs.
"""

import numpy as np
import pandas as pd

from interference.analysis.quantities import mean_over_seeds
from interference.analysis.verdicts import Measured


def typical(
    rows: pd.DataFrame, spec: dict, *, column: str, less: str | None = None
) -> Measured | None:
    """A column, mean over a seed's networks. less: a column that is taken off."""
    values = rows[column] if less is None else rows[column] - rows[less]
    return _measured(values.groupby(rows["seed"]).mean(), spec)


def narrowed(rows: pd.DataFrame, spec: dict, *, column: str) -> Measured | None:
    """A column at the fewest dimensions less that at the most."""
    widths = rows["width"]
    if widths.nunique() < 2:
        return None
    ends = (rows[widths == width] for width in (widths.min(), widths.max()))
    narrow, wide = (end.groupby("seed")[column].mean() for end in ends)
    return _measured(narrow - wide, spec)


def corner(
    rows: pd.DataFrame, spec: dict, *, column: str, classes: str, width: str
) -> Measured | None:
    """A column of the networks of one corner of classes × width. classes, width: min or max."""
    at = rows["classes"].agg(classes), rows["width"].agg(width)
    chosen = rows[(rows["classes"] == at[0]) & (rows["width"] == at[1])]
    return typical(chosen, spec, column=column)


def trend(rows: pd.DataFrame, spec: dict, *, column: str, over: str) -> Measured | None:
    """How much a column rises from the first value of another to its last, by a line through all of a
    seed's networks that have it.

    over: classes, whose values count one step each, as their source has it; or width, on its logarithm.
    """
    if rows[over].nunique() < 2:
        return None
    x = rows[over].rank(method="dense") if over == "classes" else np.log(rows[over])
    x = (x - x.min()) / (x.max() - x.min())
    slopes = {seed: _slope(x.loc[own.index], own[column]) for seed, own in rows.groupby("seed")}
    return _measured(pd.Series(slopes), spec)


def _slope(x: pd.Series, y: pd.Series) -> float:
    """By least squares over the points that have y; NaN where these are all at one x."""
    x, y = x[y.notna()], y.dropna()
    return float(np.polyfit(x, y, 1)[0]) if x.max() > x.min() else np.nan


def _measured(values: pd.Series, spec: dict) -> Measured:
    return mean_over_seeds(values, spec, "classifiers")
