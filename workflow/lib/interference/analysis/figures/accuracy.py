"""Accuracy against the attack's epsilon: one panel per attack, one line per regime of training."""

import math

import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.style import epsilon_axis, grid, regime_legend, regimes

#: Panels in a row at most.
COLUMNS = 5


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw one architecture. Lines are means over model seeds.

    table: accuracy, one row per (model, attack, epsilon).
    which: ``architecture``.
    """
    drawn = regimes(table)
    attacks = [attack for attack in table["attack"].unique() if attack != "clean"]
    columns = min(COLUMNS, len(attacks))
    figure, axes = grid(math.ceil(len(attacks) / columns), columns, width=2.6, sharey=True)
    for axis in axes.flat[len(attacks) :]:
        axis.remove()
    for axis, attack in zip(axes.flat, attacks):
        part = table[table["attack"].isin(["clean", attack])]
        for regime in drawn:
            rows = regime.of(part)
            rows = rows.groupby("epsilon", as_index=False)[["accuracy", "low", "high"]].mean()
            axis.plot(rows["epsilon"], rows["accuracy"], "o", ls=regime.line, ms=3,
                      color=regime.colour, label=regime.label)  # fmt: skip
            axis.fill_between(rows["epsilon"], rows["low"], rows["high"],
                              color=regime.colour, alpha=0.15, lw=0)  # fmt: skip
        axis.set(title=attack, ylim=(0, 1))
        norm = table.loc[table["attack"] == attack, "norm"].iloc[0]
        epsilon_axis(axis, norm, part["epsilon"], "attack")
    for axis in axes[:, 0]:
        axis.set_ylabel("accuracy")
    figure.suptitle(which["architecture"])
    regime_legend(figure, axes.flat[0])
    return figure
