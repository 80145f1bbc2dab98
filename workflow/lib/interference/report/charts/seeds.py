"""What charts of means over seeds share: Student’s intervals, and what hovering says of them."""

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd

from interference.analysis.statistics import student
from interference.report.charts.base import tips


def over_seeds(
    table: pd.DataFrame,
    by: list[str],
    columns: Mapping[str, str],
    confidence: float,
    *,
    exponential: bool = False,
) -> pd.DataFrame:
    """One row per group and column: mean over seeds and Student's interval, of logarithms the exponentials.

    columns: column → what it is, in words. What is no number in a seed is left out.
    Columns of the result: those of ``by``; what, in words; value, low, high; seeds, how many.
    """
    rows = []
    for key, part in table.groupby(by, sort=True):
        for column, name in columns.items():
            values = part.loc[np.isfinite(part[column]), column].to_numpy(float)
            if len(values):
                numbers = np.array([values.mean(), *student(values, confidence)])
                numbers = np.exp(numbers) if exponential else numbers
                found = dict(zip(("value", "low", "high"), numbers)) | {"seeds": len(values)}
                rows.append(dict(zip(by, key, strict=True)) | {"what": name} | found)
    return pd.DataFrame(rows)


def tips_over_seeds(value: str, **fields: str) -> list[alt.Tooltip]:
    """What hovering shows of a row of `over_seeds`. value: what the number is; fields: as of `tips`."""
    return tips(
        what="what", **fields, value=f"{value}#", low="from#", high="to#", seeds="seeds#"
    )  # fmt: skip


def intervals(what: str, confidence: float) -> str:
    """What marks of intervals are, a sentence. what: the marks, such as bars."""
    return f"{what.capitalize()} are Student’s {100 * confidence:g} % intervals over seeds."
