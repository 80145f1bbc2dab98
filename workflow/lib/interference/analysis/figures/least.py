"""Least changes that flip predictions: their distribution per network, and medians over the training epsilon."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.style import (
    BLUE,
    GREY,
    NORMS,
    curves,
    epsilon_axis,
    grid,
    regime_legend,
    regimes,
)

#: column of the table → colour, label
LINES = {
    "radius": (BLUE, "least change"),
    "nearest": (GREY, "nearest image\nof another class"),
}


def draw(table: pd.DataFrame, radii: pd.DataFrame, which: dict) -> Figure:
    """Draw one architecture. Error bars: the table's intervals.

    table: least, one row per (family, network). radii: one row per network and image.
    which: ``architecture``.
    """
    norms = [norm for norm in ("l2", "linf") if norm in set(table["family"])] or ["clean"]
    figure, axes = grid(1, 1 + len(norms), width=3.4, height=3.0)
    spread, *over = axes[0]
    most = 1.05 * radii["radius"].replace(np.inf, 0).max()
    for regime in regimes(radii):
        for seed, (_, part) in enumerate(regime.of(radii).groupby("model")):
            lengths = np.sort(part["radius"].replace(np.inf, np.nan).dropna())
            stand = [*(1 - np.arange(1 + len(lengths)) / len(part)), 1 - len(lengths) / len(part)]
            spread.step([0, *lengths, most], stand, where="post", lw=1.2, ls=regime.line,
                        color=regime.colour, label=None if seed else regime.label)  # fmt: skip
    spread.set(title="distribution over images", ylim=(0, 1), xlim=(0, None),
               xlabel="$L_2$ change (pixels in [0, 1])",
               ylabel="predictions that stand (share)")  # fmt: skip
    for axis, norm in zip(over, norms):
        family = table[table["family"] == norm].assign(sae_seed=0)
        for name, (colour, label) in LINES.items():
            for curve, look in curves(family, name, "model_epsilon", "model_seed", label):
                axis.errorbar(curve["model_epsilon"], curve[name], fmt="o-", color=colour, **look)
        axis.set(title=f"trained at {NORMS[norm]}", ylim=(0, None), ylabel="median $L_2$ change")
        epsilon_axis(axis, "l2" if norm == "clean" else norm, family["model_epsilon"], "training")
    over[0].legend(fontsize=8)
    figure.suptitle(which["architecture"])
    regime_legend(figure, spread)
    return figure
