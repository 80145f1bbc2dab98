"""Toy models: an input before and under attack, on the graph of features (the preprint's Fig. 3 A)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from interference.analysis.figures.overlaps import TITLES, draw_graph, overlaps
from interference.analysis.figures.style import BLUE, ORANGE, TRAINING, grid

#: Features marked as moved: those whose outputs the attack changes most.
MOVED = 5
#: Colour of features that are not in the input, and points of a node.
INACTIVE = "#BBBBBB"
SIZE = 6.5


def draw(pairs: pd.DataFrame, example: pd.DataFrame, which: dict) -> Figure:
    """Draw one graph per training, at the density of the attacked input.

    pairs: toy/geometry, one row per (training, density, i ≤ j).
    example: toy/geometry.example, one row per (training, feature).
    which: not read.
    """
    density = example["density"].iloc[0]
    figure, axes = grid(1, len(TRAINING), width=3.9, height=4)
    for axis, training in zip(axes.flat, TRAINING):
        rows = example[example["training"] == training].sort_values("feature")
        model = overlaps(pairs, training, density)
        active = (rows["input_clean"] > 0).to_numpy()
        change = (rows["output_attacked"] - rows["output_clean"]).abs().to_numpy()
        moved = np.isin(np.arange(len(rows)), change.argsort(kind="stable")[-MOVED:])
        colours = np.where(active, BLUE, INACTIVE)[model.learned]
        points = draw_graph(axis, model, SIZE, colours)
        rings = points[moved[model.learned]]
        axis.scatter(*rings.T, s=(2 * SIZE) ** 2, facecolors="none", edgecolors=ORANGE, lw=2)
        losses = [((rows[f"output_{name}"] - rows["input_clean"]) ** 2).mean()
                  for name in ("clean", "attacked")]  # fmt: skip
        axis.set_title(f"{TITLES[training]}\nloss {losses[0]:.3g}, attacked {losses[1]:.3g}")
    handles = [
        Line2D([], [], color=colour, marker="o", ls="", ms=SIZE, mew=0)
        for colour in (BLUE, INACTIVE)
    ]
    handles.append(Line2D([], [], marker="o", ls="", ms=2 * SIZE, mfc="none", mec=ORANGE, mew=2))
    labels = ["active in the input", "inactive", f"the {MOVED} outputs that the attack moves most"]
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure.suptitle(f"one input at density $p={density:.2g}$", fontsize=10)
    return figure
