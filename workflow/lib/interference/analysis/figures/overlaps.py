"""The features of one toy model as a matrix of overlaps, and as a graph of those that overlap."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from interference.analysis.figures.layout import layout
from interference.analysis.figures.style import GREY

#: Two features are linked where (W_i · W_j)² is above this. For unit vectors, antipodal pairs (1),
#: a triangle's corners (0.25) and a pentagon's far ones (0.65) are, its near ones (0.1) are not.
LINKED = 0.15
TITLES = {"clean": "clean training", "adversarial": "adversarial training"}


class Overlaps(NamedTuple):
    """The overlaps of one model's n features.

    gram: WᵀW, (n, n) float64.
    learned: which features the model has learned, (n,) bool.
    """

    gram: np.ndarray
    learned: np.ndarray

    @property
    def linked(self) -> np.ndarray:
        """Which of the k learned features are linked to which, (k, k) bool."""
        linked = self.gram[np.ix_(self.learned, self.learned)] ** 2 > LINKED
        np.fill_diagonal(linked, False)
        return linked

    @property
    def interference(self) -> float:
        """Mean of (WᵀW)_ij² over i ≠ j."""
        return float((self.gram[~np.eye(len(self.gram), dtype=bool)] ** 2).mean())


def overlaps(pairs: pd.DataFrame, training: str, density: float) -> Overlaps:
    """The overlaps of one model. pairs: toy/geometry, one row per (training, density, i ≤ j)."""
    rows = pairs[(pairs["training"] == training) & (pairs["density"] == density)]
    i, j = rows["i"].to_numpy(), rows["j"].to_numpy()
    gram, learned = np.zeros((j.max() + 1,) * 2), np.zeros(j.max() + 1, bool)
    gram[i, j] = gram[j, i] = rows["overlap"]
    learned[j[(i == j) & rows["learned"]]] = True
    return Overlaps(gram, learned)


def draw_graph(
    axis: Axes, model: Overlaps, size: float, colours: str | np.ndarray = GREY
) -> np.ndarray:
    """Draw the k learned features as nodes, and the more strongly an edge the larger the overlap.

    size: points of a node's diameter.
    colours: of all nodes, or of each (k,).
    Returns the positions of the nodes, (k, 2) float64.
    """
    points, _ = layout(model.linked)
    gram = model.gram[np.ix_(model.learned, model.learned)]
    a, b = np.nonzero(np.triu(model.linked))
    weight = gram[a, b] ** 2
    shade = np.zeros((len(a), 4))
    shade[:, 3] = weight.clip(0.25, 1)
    ends = np.stack([points[a], points[b]], axis=1)
    axis.add_collection(LineCollection(list(ends), linewidths=size / 3 * weight**0.5, colors=shade))
    x, y = points.T
    axis.scatter(x, y, s=size**2, c=colours, linewidths=0, zorder=2)
    axis.set(xticks=[], yticks=[])
    axis.set_aspect("equal", adjustable="datalim")
    axis.grid(False)
    axis.spines[:].set_visible(False)
    axis.margins(0.06)
    return points
