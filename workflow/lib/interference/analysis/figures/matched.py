"""FVU at equal L0 against the training epsilon, for one SAE type.

One column per layer, one row per norm.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interference.analysis.figures.style import (
    BLUE,
    NORMS,
    curves,
    epsilon_axis,
    grid,
    layers,
)
from interference.analysis.frames import SAE_TYPES


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw one SAE type of one architecture. Error bars: the table's intervals.

    table: matched, one row per (layer, type, SAE seed, family, model).
    which: ``architecture`` and ``type``.
    """
    table = table[table["type"] == which["type"]]
    columns = layers(table)
    families = [norm for norm in NORMS if norm in set(table["family"])]
    figure, axes = grid(max(len(families), 1), max(len(columns), 1), width=2.3, height=2.6)
    for row, family in zip(axes, families):
        for axis, layer in zip(row, columns):
            _panel(axis, table[(table["layer"] == layer) & (table["family"] == family)], layer)
            epsilon_axis(axis, family, table.loc[table["family"] == family, "model_epsilon"],
                         "training")  # fmt: skip
        row[0].set_ylabel("FVU at equal $L_0$")
    figure.suptitle(
        f"{which['architecture']}, {SAE_TYPES[which['type']]}: reconstruction at equal sparsity"
    )
    return figure


def _panel(axis: Axes, part: pd.DataFrame, layer: str) -> None:
    """Draw one layer and one family of networks: one line per (network seed, SAE seed), and
    their mean."""
    for curve, look in curves(part, "fvu", x="model_epsilon", by="model_seed"):
        axis.errorbar(curve["model_epsilon"], curve["fvu"], fmt="o-", color=BLUE, **look)
    if part.empty:
        axis.set_title(f"{layer}: no $L_0$ in common", fontsize=8)
        return
    first = part[part["about"] != "one of several"].iloc[0]
    trend = f"[{first['trend_low']:.2f}, {first['trend_high']:.2f}]"
    trend = trend if pd.notna(first["trend_low"]) else ""  # too few networks or images
    axis.set_title(
        f"{layer}, $L_0$ = {first['l0']:.3g}\n$\\rho$ = {first['trend']:.2f} {trend}", fontsize=8
    )
