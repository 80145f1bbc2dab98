"""Reconstruction against sparsity for one layer (the preprint's Fig. 5): one panel per SAE type."""

import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.style import (
    curves,
    grid,
    l0_axis,
    regime_legend,
    regimes,
    sae_types,
)
from interference.analysis.frames import SAE_TYPES


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw one layer of one architecture: one line per (network, SAE seed), and their mean.

    table: saes, one row per member.
    which: ``architecture`` and ``layer``.
    """
    table = table[table["layer"] == which["layer"]]
    types = sae_types(table)
    drawn = regimes(table)
    figure, axes = grid(1, len(types), width=3.4, height=2.9, sharey=True)
    for axis, sae_type in zip(axes.flat, types):
        for regime in drawn:
            members = regime.of(table[table["type"] == sae_type])
            for curve, look in curves(members, "fvu", x="l0", by="model", label=regime.label):
                axis.errorbar(curve["l0"], curve["fvu"], fmt="o", ls=regime.line,
                              color=regime.colour, **look)  # fmt: skip
        axis.set_title(SAE_TYPES[sae_type])
        l0_axis(axis)
    axes.flat[0].set_ylabel("FVU on held-out images")
    regime_legend(figure, axes.flat[0])
    figure.suptitle(f"{which['architecture']}, {which['layer']}")
    return figure
