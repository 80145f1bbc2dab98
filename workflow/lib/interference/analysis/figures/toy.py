"""Toy models: superposition and vulnerability against density (the preprint's Fig. 2)."""

import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.style import GREY, TRAINING, grid

PANELS = (
    ("features_per_dimension", "features per dimension, $\\|W\\|_F^2/m$"),
    ("vulnerability", "vulnerability (1 at density 1, clean)"),
    ("learned_features_per_dimension", "learned features per dimension"),
)
TICKS = (1, 0.5, 0.2, 0.1)
#: Antipodal pairs store two features in each dimension.
ANTIPODAL = 2


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """table: toy, one row a (training, density, quantity)."""
    figure, axes = grid(2, 2)
    for axis, (quantity, label) in zip(axes.flat, PANELS):
        for training, colour in TRAINING.items():
            rows = _rows(table, training, quantity)
            axis.plot(rows["density"], rows["mean"], "o-", ms=3, color=colour, label=training)
            axis.fill_between(
                rows["density"], rows["low"], rows["high"], color=colour, alpha=0.2, lw=0
            )
        axis.set(xscale="log", xlabel="density $p$ (sparser to the right)", ylabel=label)
        axis.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
        axis.minorticks_off()
        axis.invert_xaxis()
        if "features" in quantity:
            axis.axhline(ANTIPODAL, color=GREY, lw=0.8, ls=":", label="antipodal pairs")
    axes.flat[0].legend(title="training", fontsize=8)
    axis = axes.flat[3]
    for training, colour in TRAINING.items():
        x, y = (_rows(table, training, q) for q in ("features_per_dimension", "vulnerability"))
        axis.plot(x["mean"], y["mean"], "o-", ms=3, color=colour)
    axis.set(xlabel=PANELS[0][1], ylabel=PANELS[1][1])
    for axis, letter in zip(axes.flat, "ABCD"):
        axis.set_title(letter, loc="left", fontweight="bold")
    return figure


def _rows(table: pd.DataFrame, training: str, quantity: str) -> pd.DataFrame:
    chosen = (table["training"] == training) & (table["quantity"] == quantity)
    return table[chosen].sort_values("density")
