"""Accuracy against the attack's epsilon, a panel an attack, a line a network."""

import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.style import NORMS, grid, shades


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """table: accuracy, one row a (model, attack, epsilon); means over model seeds."""
    attacks = [a for a in table["attack"].unique() if a != "clean"]
    networks = table[["model_norm", "model_epsilon"]].drop_duplicates()
    networks = networks.sort_values(["model_epsilon", "model_norm"])
    figure, axes = grid(1, len(attacks), width=2.6, sharey=True)
    colours = shades(len(networks))
    for axis, attack in zip(axes.flat, attacks):
        for colour, (norm, epsilon) in zip(colours, networks.itertuples(index=False)):
            mine = table[(table["model_norm"] == norm) & (table["model_epsilon"] == epsilon)]
            rows = mine[mine["attack"].isin(["clean", attack])]
            rows = rows.groupby("epsilon", as_index=False)[["accuracy", "low", "high"]].mean()
            label = "clean" if epsilon == 0 else f"{NORMS[norm]} {epsilon:g}"
            axis.plot(rows["epsilon"], rows["accuracy"], "o-", ms=3, color=colour, label=label)
            axis.fill_between(
                rows["epsilon"], rows["low"], rows["high"], color=colour, alpha=0.15, lw=0
            )
        norm = table.loc[table["attack"] == attack, "norm"].iloc[0]
        axis.set(title=attack, xlabel=f"attack $\\epsilon$ ({NORMS[norm]})", ylim=(0, 1))
    axes.flat[0].set_ylabel("accuracy")
    figure.legend(*axes.flat[0].get_legend_handles_labels(), title="trained at",
                  loc="outside right center", fontsize=8)  # fmt: skip
    return figure
