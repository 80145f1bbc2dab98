"""How much of the certified bound's increase each attack on toy models finds, against density."""

import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.style import (
    BLUE,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    TRAINING,
    density_axis,
    grid,
)

#: In drawing order: PGD often is the strongest and must stay visible on its wide line.
ATTACKS = {
    "one-step": ORANGE,
    "analytic": PURPLE,
    "trust-region": BLUE,
    "strongest": GREY,
    "pgd": RED,
}


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw one panel per training, on inputs of the models' own densities.

    table: toy, one row per (training, density, inputs, attack, quantity).
    which: not read.
    """
    figure, axes = grid(1, len(TRAINING), width=3.4, height=3, sharey=True)
    chosen = (table["quantity"] == "of_bound") & (table["inputs"] == "own")
    shares = table[chosen].sort_values("density")
    for axis, training in zip(axes.flat, TRAINING):
        for attack, colour in ATTACKS.items():
            rows = shares[(shares["training"] == training) & (shares["attack"] == attack)]
            wide = {"lw": 5, "alpha": 0.5} if attack == "strongest" else {"marker": "o", "ms": 3}
            axis.plot(rows["density"], rows["mean"], color=colour, label=attack, **wide)
            axis.fill_between(
                rows["density"], rows["low"], rows["high"], color=colour, alpha=0.2, lw=0
            )
        axis.axhline(1, color="black", lw=0.8, ls=":", label="certified bound")
        density_axis(axis)
        axis.set(ylim=(0, 1.05), title=f"training: {training}")
    axes.flat[0].set_ylabel("increase of the loss over the bound's")
    axes.flat[0].legend(title="attack", fontsize=8, loc="lower left", ncols=2)
    return figure
