"""What figures of canvases share: curves over the dose, of each seed and of their mean."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from interference.analysis.figures.style import GREEN, ORANGE, RED

#: Slope of the interference term on the logarithm of the dose in a tight frame of equal norms.
PREDICTED = -0.5

#: column, colour, label
RADII = (
    ("log_r_own", GREEN, "own cell"),
    ("log_r_others", ORANGE, "all other cells"),
    ("log_r_full", RED, "all cells"),
)


def regimes(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each regime and decoder in words, and its rows."""
    for (regime, decoder), rows in table.groupby(["regime", "decoder"]):
        yield f"{regime}, {decoder} decoder", rows


def curve(axis: Axes, rows: pd.DataFrame, column: str, *, colour: str, label: str,
          style: str = "-") -> None:  # fmt: skip
    """Draw a column over the dose: thin, each seed; thick with marks, their mean. Nothing of no rows."""
    if rows.empty:
        return
    for _, seed in rows.groupby("seed"):
        seed = seed.sort_values("dose")
        axis.plot(seed["dose"], seed[column], ls=style, lw=0.6, alpha=0.5, color=colour)
    mean = rows.groupby("dose")[column].mean()
    axis.plot(mean.index, mean, "o", ls=style, ms=3, lw=1.5, color=colour, label=label)


def radii(axis: Axes, rows: pd.DataFrame) -> None:
    """Draw the three radii; that of other cells where at least half of the pairs have one."""
    for column, colour, label in RADII:
        radius = np.exp(rows[column])
        if column == "log_r_others":
            radius = radius.where(rows["others_found"] >= 0.5)
        curve(axis, rows.assign(radius=radius), "radius", colour=colour, label=label)


def dose_axis(axis: Axes, doses: pd.Series) -> None:
    """Make the x axis one of doses, logarithmic, with a tick at each."""
    values = np.unique(doses)
    axis.set(xscale="log", xlabel="dose, features per dimension")
    axis.set_xticks(values, [f"{value:g}" for value in values])
    axis.minorticks_off()


def log_axis(axis: Axes) -> None:
    """Make the y axis logarithmic, with ticks in plain numbers."""
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())
