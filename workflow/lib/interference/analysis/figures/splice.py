"""What SAEs cost the network that they are spliced into: KL against sparsity.

One column per layer, one row per SAE type; one line per network, dotted where the layer is at its
mean.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interference.analysis.figures.style import (
    SAE_TYPES,
    Regime,
    grid,
    l0_axis,
    layers,
    regime_legend,
    regimes,
    sae_types,
)


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw one architecture. Error bars: bootstrap over evaluation images.

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
    """Draw one line per (network, SAE seed). part: rows of the regime, layer and type."""
    label: str | None = regime.label
    for _, curve in part.groupby(["model", "sae_seed"]):
        curve = curve.sort_values("l0")
        error = [curve["kl"] - curve["kl_low"], curve["kl_high"] - curve["kl"]]
        axis.errorbar(curve["l0"], curve["kl"], yerr=error, fmt="o", ls=regime.line, ms=3, lw=1.2,
                      color=regime.colour, label=label)  # fmt: skip
        axis.axhline(curve["ablated_kl"].iloc[0], color=regime.colour, lw=0.8, ls=":")
        label = None
