"""Reconstruction against sparsity for one layer (the preprint's Fig. 5): a panel an SAE type."""

import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.style import NORMS, SAE_TYPES, grid, l0_axis, shades


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """table: saes, one row a member; which: {"layer"}. A line a (network, SAE seed)."""
    table = table[table["layer"] == which["layer"]]
    types = [t for t in SAE_TYPES if t in set(table["type"])]
    networks = table[["model_norm", "model_epsilon"]].drop_duplicates()
    networks = networks.sort_values(["model_epsilon", "model_norm"])
    figure, axes = grid(1, len(types), width=3.4, height=2.9, sharey=True)
    colours = shades(len(networks))
    for axis, sae_type in zip(axes.flat, types):
        for colour, (norm, epsilon) in zip(colours, networks.itertuples(index=False)):
            mine = table[
                (table["type"] == sae_type)
                & (table["model_norm"] == norm)
                & (table["model_epsilon"] == epsilon)
            ]
            label = "clean" if epsilon == 0 else f"{NORMS[norm]} {epsilon:g}"
            for _, curve in mine.groupby(["model", "sae_seed"]):
                curve = curve.sort_values("l0")
                error = [curve["fvu"] - curve["fvu_low"], curve["fvu_high"] - curve["fvu"]]
                axis.errorbar(curve["l0"], curve["fvu"], yerr=error, fmt="o-", ms=3, lw=1.2,
                              color=colour, label=label)  # fmt: skip
                label = None
        axis.set_title(SAE_TYPES[sae_type])
        l0_axis(axis)
    axes.flat[0].set_ylabel("FVU on held-out images")
    figure.legend(*axes.flat[0].get_legend_handles_labels(), title="trained at",
                  loc="outside right center", fontsize=8)  # fmt: skip
    figure.suptitle(which["layer"])
    return figure
