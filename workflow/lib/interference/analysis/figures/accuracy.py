"""Accuracy against the attack's epsilon, a panel an attack, a line a network."""

import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.style import epsilon_axis, grid, network_legend, networks


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """table: accuracy, one row a (model, attack, epsilon); which: {"architecture"}.

    Lines are means over model seeds.
    """
    drawn = networks(table)
    attacks = [a for a in table["attack"].unique() if a != "clean"]
    figure, axes = grid(1, len(attacks), width=2.6, sharey=True)
    for axis, attack in zip(axes.flat, attacks):
        part = table[table["attack"].isin(["clean", attack])]
        for network in drawn:
            rows = network.of(part)
            rows = rows.groupby("epsilon", as_index=False)[["accuracy", "low", "high"]].mean()
            axis.plot(rows["epsilon"], rows["accuracy"], "o", ls=network.line, ms=3,
                      color=network.colour, label=network.label)  # fmt: skip
            axis.fill_between(rows["epsilon"], rows["low"], rows["high"],
                              color=network.colour, alpha=0.15, lw=0)  # fmt: skip
        axis.set(title=attack, ylim=(0, 1))
        norm = table.loc[table["attack"] == attack, "norm"].iloc[0]
        epsilon_axis(axis, norm, part["epsilon"], "attack")
    axes.flat[0].set_ylabel("accuracy")
    figure.suptitle(which["architecture"])
    network_legend(figure, axes.flat[0])
    return figure
