"""Attacks between networks: who falls to whose, and over how alike the two see clean images."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interference.analysis.figures.style import PAIRS, grid, layers

#: Panels in a row.
COLUMNS = 3


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw one experiment. Bars are Wilson's intervals.

    table: exchange, one row per (source, target, layer). which: no wildcards.
    """
    shown = layers(table)
    figure, axes = grid(-(-(1 + len(shown)) // COLUMNS), COLUMNS, width=3.4, height=3.0)
    _matrix(figure, axes.flat[0], table[table["layer"] == shown[0]])
    for axis, layer in zip(axes.flat[1:], shown):
        rows = table[table["layer"] == layer]
        for alike, (colour, label) in PAIRS.items():
            part = rows[rows["alike"] == alike]
            bars = [part["success"] - part["success_low"], part["success_high"] - part["success"]]
            axis.errorbar(part["cka"], part["success"], yerr=bars, fmt="o", ms=2, lw=0.4,
                          color=colour, label=label)  # fmt: skip
        axis.set(title=layer, ylim=(0, 1), xlabel="CKA on clean images")
        axis.set_ylabel("images that fall (share)")
    axes.flat[1].legend(fontsize=7)
    for axis in axes.flat[1 + len(shown) :]:
        axis.remove()
    return figure


def _matrix(figure: Figure, axis: Axes, pairs: pd.DataFrame) -> None:
    """Success by source (row) and target (column). pairs: of one layer."""
    square = pairs.pivot_table(index="source", columns="target", values="success")
    picture = axis.imshow(square.to_numpy(dtype=float), vmin=0, vmax=1, cmap="viridis")
    for set_ticks in (axis.set_xticks, axis.set_yticks):
        set_ticks(np.arange(len(square)), square.index, fontsize=5)
    axis.tick_params(axis="x", rotation=90)
    axis.grid(visible=False)
    axis.set(title="images that fall (share)", xlabel="attacked network", ylabel="attack found on")
    figure.colorbar(picture, ax=axis, shrink=0.8)
