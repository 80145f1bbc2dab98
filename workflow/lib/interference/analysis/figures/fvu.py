"""Reconstruction against sparsity for one layer (the preprint's Fig. 5): a panel an SAE type."""

import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.style import SAE_TYPES, grid, l0_axis, network_legend, networks


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """table: saes, one row a member; which: {"architecture", "layer"}. A line a (network, SAE seed)."""
    table = table[table["layer"] == which["layer"]]
    types = [t for t in SAE_TYPES if t in set(table["type"])]
    drawn = networks(table)
    figure, axes = grid(1, len(types), width=3.4, height=2.9, sharey=True)
    for axis, sae_type in zip(axes.flat, types):
        for network in drawn:
            label = network.label
            mine = network.of(table[table["type"] == sae_type])
            for _, curve in mine.groupby(["model", "sae_seed"]):
                curve = curve.sort_values("l0")
                error = [curve["fvu"] - curve["fvu_low"], curve["fvu_high"] - curve["fvu"]]
                axis.errorbar(curve["l0"], curve["fvu"], yerr=error, fmt="o", ls=network.line,
                              ms=3, lw=1.2, color=network.colour, label=label)  # fmt: skip
                label = None
        axis.set_title(SAE_TYPES[sae_type])
        l0_axis(axis)
    axes.flat[0].set_ylabel("FVU on held-out images")
    network_legend(figure, axes.flat[0])
    figure.suptitle(f"{which['architecture']}, {which['layer']}")
    return figure
