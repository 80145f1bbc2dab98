"""Controls of the toy models: shorter weights alone, and inputs of one density for all models."""

from collections.abc import Iterable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interference.analysis.figures.style import (
    GREY,
    SHRUNK,
    TRAINING,
    density_axis,
    grid,
    seed_band,
)

ATTACK = "strongest"
#: training → colour, line. Solid lines are trained, the dashed one is not.
MODELS = {name: (colour, "-") for name, colour in TRAINING.items()} | {"shrunk": (SHRUNK, "--")}
VULNERABILITY = "vulnerability (clean, $p=1$: 1)"
#: inputs, quantity, models, label and title of each panel.
PANELS: tuple[tuple[str, str, Iterable[str], str, str], ...] = (
    ("own", "vulnerability", MODELS, VULNERABILITY, "on inputs of its own density"),
    ("common", "vulnerability", MODELS, VULNERABILITY, "on inputs of one density"),
    ("own", "shrinkage_share", ["shrunk"], "share of the gain", "what shrinking explains"),
    ("own", "learned_features_per_dimension", TRAINING, "learned features per dimension",
     "what it cannot change"),
)  # fmt: skip


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw all panels, under the strongest attack.

    table: toy, one row per (training, density, inputs, attack, quantity).
    which: not read.
    """
    table = table[table["attack"] == ATTACK].sort_values("density")
    figure, axes = grid(2, 2)
    for axis, letter, (inputs, quantity, models, label, title) in zip(axes.flat, "ABCD", PANELS):
        _models(axis, table[(table["inputs"] == inputs) & (table["quantity"] == quantity)], models)
        density_axis(axis)
        axis.set_ylabel(label)
        axis.set_title(rf"$\bf{{{letter}}}$   {title}", loc="left")
        axis.set_xlim(axes.flat[0].get_xlim())
    axes.flat[0].legend(title="models", fontsize=8)
    for level in (0, 1):
        axes.flat[2].axhline(level, color=GREY, lw=0.8, ls=":")
    return figure


def _models(axis: Axes, rows: pd.DataFrame, models: Iterable[str]) -> None:
    """Draw one line per kind of model. models: keys of MODELS."""
    for training in models:
        seed_band(axis, rows[rows["training"] == training], *MODELS[training], training)
