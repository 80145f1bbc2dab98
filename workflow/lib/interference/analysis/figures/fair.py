"""L0 under attack against the training epsilon, at equal epsilon and at equal success, for one SAE type.

One column per layer, one row per norm of the training.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interference.analysis.figures.style import (
    BLUE,
    GREY,
    NORMS,
    ORANGE,
    RED,
    curves,
    epsilon_axis,
    grid,
    layers,
)
from interference.analysis.frames import SAE_TYPES

#: (comparison, among) → colour and label, in the order of the legend.
LINES = {
    ("equal epsilon", "right"): (BLUE, "at equal $\\epsilon$"),
    ("equal success", "right"): (RED, "at equal success"),
    ("equal epsilon", "fell"): (ORANGE, "equal $\\epsilon$, images that fell"),
    ("equal epsilon", "stood"): (GREY, "equal $\\epsilon$, images that stood"),
}


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw one SAE type of one architecture. Error bars: the table's intervals.

    table: fair, one row per (SAE, comparison, among, reference, quantity, family).
    which: ``architecture`` and ``type``.
    """
    table = table[(table["type"] == which["type"]) & (table["quantity"] == "l0")]
    table = table[table["reference"] == "noise"]
    columns = layers(table)
    families = [norm for norm in NORMS if norm in set(table["family"])]
    figure, axes = grid(max(len(families), 1), max(len(columns), 1), width=2.3, height=2.6)
    for row, family in zip(axes, families):
        for axis, layer in zip(row, columns):
            _panel(axis, table[(table["layer"] == layer) & (table["family"] == family)])
            axis.set_title(layer, fontsize=9)
            epsilon_axis(axis, family, table.loc[table["family"] == family, "model_epsilon"],
                         "training")  # fmt: skip
        row[0].set_ylabel("$L_0$, attacked over noise")
    if columns:
        lines, labels = axes.flat[0].get_legend_handles_labels()
        figure.legend(lines, labels, loc="outside lower center", fontsize=8, ncols=len(labels))
    figure.suptitle(
        f"{which['architecture']}, {SAE_TYPES[which['type']]}: $L_0$ under attack, compared fairly"
    )
    return figure


def _panel(axis: Axes, part: pd.DataFrame) -> None:
    """Draw one layer and one family of networks: per comparison a line per network seed and SAE seed,
    and their mean."""
    for (comparison, among), (colour, label) in LINES.items():
        rows = part[(part["comparison"] == comparison) & (part["among"] == among)]
        for curve, look in curves(rows, "ratio", x="model_epsilon", by="model_seed", label=label):
            axis.errorbar(curve["model_epsilon"], curve["ratio"], fmt="o-", color=colour, **look)
    axis.axhline(1, color="black", lw=0.6)
