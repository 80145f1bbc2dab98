"""Canvases: the least changes that flip a feature over the dose, and what interference adds.

One column per regime: three radii; the interference term as the ratio of two of them; superposition.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interference.analysis.figures.doses import (
    PREDICTED,
    curve,
    dose_axis,
    log_axis,
    radii,
    regimes,
)
from interference.analysis.figures.style import BLUE, GREY, PURPLE, RED, grid

#: family → colour, label
FAMILIES = {
    "dose": (RED, "attack"),
    "frozen": (PURPLE, "attack, frozen trunk"),
    "orthonormal": (BLUE, "attack, orthonormal bottleneck"),
}


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw all regimes. table: dose. which: not read."""
    columns = [*regimes(table[table["family"].isin(FAMILIES)])]
    figure, axes = grid(3, max(len(columns), 1), width=3.6, height=2.5, sharex="col", sharey="row")
    for column, (title, rows) in zip(axes.T, columns):
        own = rows[rows["family"] == "dose"]
        _radii(column[0], own)
        _ratios(column[1], rows)
        for family, (colour, label) in FAMILIES.items():
            part = rows[rows["family"] == family]
            curve(column[2], part, "interference_to_signal", colour=colour,
                  label=label.removeprefix("attack, "))  # fmt: skip
        log_axis(column[2])
        column[0].set_title(title)
        dose_axis(column[2], own["dose"])
    for axis, label in zip(
        axes[:, 0],
        (
            "least change that flips\n($L_2$, pixels in [0, 1])",
            "$r_{full}\\,/\\,r_{own}$\n(1: interference adds nothing)",
            "interference-to-signal\n(variance over signal²)",
        ),
    ):
        axis.set_ylabel(label)
    for axis in axes[:2, -1]:
        axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _radii(axis: Axes, rows: pd.DataFrame) -> None:
    """Draw the radii, and what a tight frame makes of the own cell's."""
    radii(axis, rows)
    mean = rows.groupby("dose")["log_r_own"].mean()
    predicted = np.exp(mean + PREDICTED * np.log(mean.index))
    label = "own cell $\\times (n/m)^{-1/2}$"
    axis.plot(mean.index, predicted, ls=":", color=GREY, label=label, zorder=3)
    log_axis(axis)


def _ratios(axis: Axes, rows: pd.DataFrame) -> None:
    """Draw the interference term of attacks, by family, and of noise."""
    for family, (colour, label) in FAMILIES.items():
        part = rows[rows["family"] == family]
        ratio = part.assign(ratio=np.exp(part["interference"]))
        curve(axis, ratio, "ratio", colour=colour, label=label)
    own = rows[rows["family"] == "dose"]
    noise = own.assign(ratio=np.exp(own["noise_interference"]))
    curve(axis, noise, "ratio", colour=GREY, label="noise", style="--")
    doses = np.unique(own["dose"])
    axis.plot(doses, doses**PREDICTED, ls=":", color=GREY, label="$(n/m)^{-1/2}$", zorder=3)
    log_axis(axis)
