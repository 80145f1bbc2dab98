"""What SAEs cost the network that they are spliced into: KL against sparsity.

One column per layer, one row per SAE type; one line per network, dotted where the layer is at its
mean.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interference.analysis.figures.style import (
    Regime,
    curves,
    grid,
    l0_axis,
    layers,
    regime_legend,
    regimes,
    sae_types,
)
from interference.analysis.frames import SAE_TYPES


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw one architecture. Error bars: the table's intervals.

    table: splice, one row per member.
    which: ``architecture``.
    """
    drawn, types, columns = regimes(table), sae_types(table), layers(table)
    figure, axes = grid(len(types), len(columns), width=2.3, height=2.4, sharey="col")
    for row, sae_type in zip(axes, types):
        for axis, layer in zip(row, columns):
            part = table[(table["type"] == sae_type) & (table["layer"] == layer)]
            for regime in drawn:
                _curves(axis, regime.of(part), regime)
            axis.set(title=f"{layer}, {SAE_TYPES[sae_type]}", yscale="log")
            l0_axis(axis)
        row[0].set_ylabel("KL from the network, nats")
    for axis in axes[:-1].flat:
        axis.set_xlabel("")
    regime_legend(figure, axes.flat[0])
    figure.suptitle(f"SAEs spliced into {which['architecture']}")
    return figure


def _curves(axis: Axes, part: pd.DataFrame, regime: Regime) -> None:
    """Draw one line per (network, SAE seed), and their mean.

    part: rows of the regime, layer and type.
    """
    for curve, look in curves(part, "kl", x="l0", by="model", label=regime.label):
        axis.errorbar(
            curve["l0"], curve["kl"], fmt="o", ls=regime.line, color=regime.colour, **look
        )
        if curve["about"].iloc[0] != "one of several":
            axis.axhline(curve["ablated_kl"].iloc[0], color=regime.colour, lw=0.8, ls=":")
