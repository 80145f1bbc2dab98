"""Toy models: how learned features overlap as inputs grow sparser (the preprint's Fig. 4)."""

import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.overlaps import TITLES, draw_graph, overlaps
from interference.analysis.figures.style import TRAINING, grid


def draw(pairs: pd.DataFrame, which: dict) -> Figure:
    """Draw one graph per training and density.

    pairs: toy/geometry, one row per (training, density, i ≤ j).
    which: not read.
    """
    densities = sorted(pairs["density"].unique(), reverse=True)
    figure, axes = grid(len(TRAINING), len(densities), width=2, height=2.2)
    for row, (training, colour) in zip(axes, TRAINING.items()):
        row[0].set_ylabel(TITLES[training])
        for axis, density in zip(row, densities):
            model = overlaps(pairs, training, density)
            draw_graph(axis, model, size=3, colours=colour)
            links = model.linked.sum() // 2
            axis.set_xlabel(f"{model.learned.sum()} features, {links} links", fontsize=8)
    for axis, density in zip(axes[0], densities):
        axis.set_title(f"density $p={density:.2g}$")
    return figure
