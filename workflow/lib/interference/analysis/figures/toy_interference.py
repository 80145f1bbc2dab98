"""Toy models: overlaps of every two features as a matrix (the preprint's Fig. 3 B)."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.layout import layout
from interference.analysis.figures.overlaps import TITLES, Overlaps, overlaps
from interference.analysis.figures.style import TRAINING, grid


def draw(pairs: pd.DataFrame, example: pd.DataFrame, which: dict) -> Figure:
    """Draw one matrix per training, at the density of the attacked input.

    pairs: toy/geometry, one row per (training, density, i ≤ j).
    example: toy/geometry.example, one row per (training, feature).
    which: not read.
    """
    density = example["density"].iloc[0]
    models = {training: overlaps(pairs, training, density) for training in TRAINING}
    figure, axes = grid(1, len(models), width=3.7, height=3.9)
    order = _order(models["adversarial"], models["clean"])
    most = max(abs(model.gram).max() for model in models.values()) or 1
    for axis, (training, model) in zip(axes.flat, models.items()):
        image = axis.imshow(model.gram[np.ix_(order, order)], cmap="RdBu_r", vmin=-most, vmax=most,
                            interpolation="nearest")  # fmt: skip
        axis.set_title(f"{TITLES[training]}\nmean off-diagonal square {model.interference:.2g}")
        axis.set(xlabel="feature $j$, one order for both", xticks=[], yticks=[])
        axis.grid(False)
    axes.flat[0].set_ylabel("feature $i$")
    figure.colorbar(image, ax=axes, label="$W_i\\cdot W_j$", shrink=0.8)
    figure.suptitle(f"density $p={density:.2g}$", fontsize=10)
    return figure


def _order(robust: Overlaps, other: Overlaps) -> np.ndarray:
    """The order of features along both axes, (n,) int: those that the robust model has learned, the
    largest component of its graph first, then those that only the other has, then the rest."""
    _, component = layout(robust.linked)
    rank = np.where(other.learned, len(component), len(component) + 1)
    rank[robust.learned] = component
    return rank.argsort(kind="stable")
