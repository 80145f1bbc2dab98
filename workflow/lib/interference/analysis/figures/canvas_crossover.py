"""Canvases: doses within a network, each feature at each dose once.

One column per regime: radii, and the interference term, over the dose of a feature's block.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.doses import (
    PREDICTED,
    curve,
    dose_axis,
    log_axis,
    radii,
    regimes,
)
from interference.analysis.figures.style import GREY, RED, grid


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw all regimes. table: crossover. which: not read."""
    columns = [*regimes(table)]
    figure, axes = grid(2, max(len(columns), 1), width=3.6, height=2.5, sharex="col", sharey="row")
    for (top, bottom), (title, rows) in zip(axes.T, columns):
        radii(top, rows)
        for column, colour, label, style in (
            ("interference", RED, "attack", "-"),
            ("noise_interference", GREY, "noise", "--"),
        ):
            ratio = rows.assign(ratio=np.exp(rows[column]))
            curve(bottom, ratio, "ratio", colour=colour, label=label, style=style)
        doses = np.unique(rows["dose"])
        bottom.plot(doses, doses**PREDICTED, ls=":", color=GREY, label="$dose^{-1/2}$", zorder=3)
        top.set_title(title)
        for axis in (top, bottom):
            log_axis(axis)
        dose_axis(bottom, rows["dose"])
        bottom.set_xlabel("dose of the feature's block")
    axes[0, 0].set_ylabel("least change that flips\n($L_2$, pixels in [0, 1])")
    axes[1, 0].set_ylabel("$r_{full}\\,/\\,r_{own}$\n(1: interference adds nothing)")
    for axis in axes[:, -1]:
        axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    return figure
