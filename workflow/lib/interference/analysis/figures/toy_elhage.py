"""Toy models: vulnerability follows features per dimension (Elhage et al. 2022).

Their figure of "Relationship to Adversarial Robustness": clean models only, their analytic attack.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from interference.analysis.figures.style import BLUE, GREY, ORANGE, grid


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw features per dimension above vulnerability, against the density's inverse.

    table: toy, one row per (training, density, inputs, attack, quantity).
    which: not read.
    """
    clean = (table["training"] == "clean") & (table["inputs"] == "own")
    rows = table[clean & (table["attack"] == "analytic")]
    figure, axes = grid(2, 1, width=4.6, height=2.3, sharex=True)
    top, bottom = axes.flat
    _line(top, rows, "features_per_dimension", BLUE, None)
    top.axhline(2, color=GREY, lw=0.8, ls=":", label="antipodal pairs")
    top.set_ylabel("features per dimension")
    top.legend(fontsize=8)
    _line(bottom, rows, "increase_ratio", BLUE, "increase of the loss")
    gain = rows[rows["quantity"] == "gain"].copy()
    reference = gain["mean"].to_numpy()[gain["density"].argmax()]
    gain[["mean", "low", "high"]] /= reference
    _line(bottom, gain, "gain", ORANGE, "increase over $\\epsilon^2$")
    bottom.set(
        xscale="log", yscale="log", xlabel="$1/p$, the density's inverse (sparser to the right)"
    )
    bottom.set_ylabel("relative to the largest $p$")
    bottom.legend(fontsize=8)
    for axis in (bottom.xaxis, bottom.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
    return figure


def _line(axis: Axes, rows: pd.DataFrame, quantity: str, colour: str, label: str | None) -> None:
    """Draw mean and extremes over seeds of one quantity."""
    rows = rows[rows["quantity"] == quantity].sort_values("density")
    x = 1 / rows["density"]
    axis.plot(x, rows["mean"], "o-", ms=3, color=colour, label=label)
    axis.fill_between(x, rows["low"], rows["high"], color=colour, alpha=0.2, lw=0)
