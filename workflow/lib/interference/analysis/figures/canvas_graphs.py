"""Canvases: features whose directions overlap, as graphs over the dose.

One row per regime, of its first seed: a node is a feature, an edge an overlap. Below them, how all overlaps
are distributed.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interference.analysis.figures.doses import regimes
from interference.analysis.figures.overlaps import LINKED, Overlaps, draw_graph
from interference.analysis.figures.style import BLUE, GREY, grid

#: Bins of the histograms of cosines.
BINS = np.linspace(-1, 1, 41)


def draw(cosines: pd.DataFrame, which: dict) -> Figure:
    """Draw a graph and a histogram per dose. cosines: canvas/….cosines, one row per (network, i < j) that
    is kept. which: not read."""
    rows = [*regimes(cosines)]
    doses = np.unique(cosines["dose"])
    figure, axes = grid(2 * len(rows), len(doses), width=1.9, height=1.9)
    for number, (title, part) in enumerate(rows):
        part = part[part["seed"] == part["seed"].min()]
        graphs, histograms = axes[2 * number], axes[2 * number + 1]
        graphs[0].set_ylabel(title, fontsize=8)
        histograms[0].set_ylabel("pairs (all seeds)", fontsize=8)
        for graph, histogram, dose in zip(graphs, histograms, doses):
            own = part[part["dose"] == dose]
            _graph(graph, own, features=int(part["j"].max()) + 1)
            graph.set_title(f"dose {dose:g}", fontsize=9)
            every = rows[number][1]
            histogram.hist(every.loc[every["dose"] == dose, "cosine"], BINS, color=BLUE)
            histogram.set(xlabel="cosine", xlim=(-1, 1))
    return figure


def _graph(axis: Axes, own: pd.DataFrame, features: int) -> None:
    gram = np.eye(features)
    i, j = own["i"].to_numpy(), own["j"].to_numpy()
    gram[i, j] = gram[j, i] = own["cosine"]
    model = Overlaps(gram, np.ones(features, bool))
    draw_graph(axis, model, size=3, colours=GREY)
    links = model.linked.sum() // 2
    axis.set_xlabel(f"pairs with cosine² > {LINKED:g}: {links}", fontsize=7)
