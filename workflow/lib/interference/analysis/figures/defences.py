"""Accuracy under attack of networks behind reconstructions, against the training epsilon.

One column per layer, one row per norm and k. What counts are the lines under an attack through the
defence; the faint ones are under an attack on the network alone, which says how strong the defence seems.
"""

from itertools import product

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import offset_copy

from interference.analysis.figures.style import (
    BLUE,
    GREY,
    ORANGE,
    curves,
    epsilon_axis,
    grid,
    layers,
)
from interference.analysis.frames import SAE_TYPES

#: defence → label, colour, how far it is drawn from its epsilon (points), since defences often do the same
DEFENCES = {
    "none": ("none", ORANGE, -2.5),
    "pca": ("PCA, same FVU", GREY, 0),
    "sae": ("SAE", BLUE, 2.5),
}
#: column of the table → what it adds to the label, line, opacity
ATTACKS = {"adaptive": ("", "o-", 1.0), "transferred": (", transferred", "o:", 0.45)}


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw one architecture. Error bars: the table's intervals.

    table: defences, one row per (model, layer, k, SAE seed, defence).
    which: ``architecture``.
    """
    columns = layers(table)
    norms = [norm for norm in ("l2", "linf") if norm in set(table["model_norm"])] or ["l2"]
    rows = list(product(norms, sorted(table["sparsity"].unique())))
    sae_type = SAE_TYPES[table["type"].iloc[0]]
    figure, axes = grid(len(rows), len(columns), width=2.4, height=2.6, sharey=True)
    for row, (norm, k) in zip(axes, rows):
        family = table[table["model_norm"].isin(["clean", norm])]
        for axis, layer in zip(row, columns):
            _panel(axis, figure, family[(family["sparsity"] == k) & (family["layer"] == layer)])
            axis.set(title=f"{layer}, $k$ = {k:g}", ylim=(-0.03, 1.03))
            epsilon_axis(axis, norm, family["model_epsilon"], "training")
        row[0].set_ylabel("accuracy under attack")
    figure.legend(
        *axes.flat[0].get_legend_handles_labels(),
        title="defence",
        loc="outside right center",
        fontsize=8,
    )
    figure.suptitle(f"{which['architecture']} behind {sae_type} and PCA, attacked through them")
    return figure


def _panel(axis: Axes, figure: Figure, part: pd.DataFrame) -> None:
    """Draw one line per (defence, attack, network seed, SAE seed), and their mean."""
    for column, (more, line, opacity) in ATTACKS.items():
        for defence, (label, colour, shift) in DEFENCES.items():
            if (column, defence) == ("transferred", "none"):  # which is the attack on it
                continue
            rows = part[part["defence"] == defence]
            place = offset_copy(axis.transData, figure, x=shift, units="points")
            for curve, look in curves(rows, column, "model_epsilon", "model_seed", label + more):
                axis.errorbar(curve["model_epsilon"], curve[column], fmt=line, color=colour,
                              alpha=opacity, zorder=2 + opacity, transform=place, **look)  # fmt: skip
