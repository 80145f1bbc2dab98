"""Toy models: superposition and vulnerability against density (the preprint's Fig. 2)."""

from itertools import product

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from interference.analysis.figures.style import (
    GREY,
    SHRUNK,
    TRAINING,
    density_axis,
    grid,
    seed_band,
)

#: quantity, label
PANELS = (
    ("features_per_dimension", "features per dimension, $\\|W\\|_F^2/m$"),
    ("vulnerability", "vulnerability (clean, $p=1$: 1)"),
    ("learned_features_per_dimension", "learned features per dimension"),
)
#: The strongest attack of all, and the preprint's: attack → line.
ATTACKS = {"strongest": "-", "one-step": "--"}
#: Line of the shrunk models, under the strongest attack alone.
SHRUNK_STYLE = "-."
#: Antipodal pairs store two features in each dimension.
ANTIPODAL = 2


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw all panels, on inputs of the models' own densities.

    table: toy, one row per (training, density, inputs, attack, quantity).
    which: not read.
    """
    table = table[table["inputs"] == "own"]
    figure, axes = grid(2, 2)
    for axis, (quantity, label) in zip(axes.flat, PANELS):
        attacks = ATTACKS if quantity == "vulnerability" else ["strongest"]
        for attack in attacks:
            _against_density(axis, table, quantity, attack)
        density_axis(axis)
        axis.set_ylabel(label)
        if "features" in quantity:
            axis.axhline(ANTIPODAL, color=GREY, lw=0.8, ls=":", label="antipodal pairs")
    shrunk = _rows(table, "shrunk", "vulnerability", "strongest")
    seed_band(axes.flat[1], shrunk, SHRUNK, SHRUNK_STYLE)
    axes.flat[0].legend(title="training", fontsize=8)
    lines = [Line2D([], [], color=GREY, ls=style) for style in ATTACKS.values()]
    lines.append(Line2D([], [], color=SHRUNK, ls=SHRUNK_STYLE))
    axes.flat[1].legend(lines, [*ATTACKS, "strongest, on shrunk"], title="attack", fontsize=8)
    axis = axes.flat[3]
    for (training, colour), (attack, style) in product(TRAINING.items(), ATTACKS.items()):
        x, y = (
            _rows(table, training, quantity, attack)
            for quantity in ("features_per_dimension", "vulnerability")
        )
        axis.plot(x["mean"], y["mean"], "o", ls=style, ms=3, color=colour)
    axis.set(xlabel=PANELS[0][1], ylabel=PANELS[1][1])
    for axis, letter in zip(axes.flat, "ABCD"):
        axis.set_title(letter, loc="left", fontweight="bold")
    return figure


def _against_density(axis: Axes, table: pd.DataFrame, quantity: str, attack: str) -> None:
    """Draw one line per training."""
    for training, colour in TRAINING.items():
        rows = _rows(table, training, quantity, attack)
        seed_band(axis, rows, colour, ATTACKS[attack], training)


def _rows(table: pd.DataFrame, training: str, quantity: str, attack: str) -> pd.DataFrame:
    chosen = (table["training"] == training) & (table["quantity"] == quantity)
    return table[chosen & (table["attack"] == attack)].sort_values("density")
