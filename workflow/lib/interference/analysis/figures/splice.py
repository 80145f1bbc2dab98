"""What SAEs cost the network that they are spliced into: KL against sparsity.

A column a layer, a row an SAE type; a line a network, dotted where the layer is at its mean.
"""

import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.style import (
    SAE_TYPES,
    Network,
    grid,
    l0_axis,
    network_legend,
    networks,
)


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """table: splice, one row a member; which: {"architecture"}.

    Error bars: bootstrap over evaluation images.
    """
    drawn = networks(table)
    types = [t for t in SAE_TYPES if t in set(table["type"])]
    layers = sorted(table["layer"].unique(), key=lambda layer: (layer != "stem", layer))
    figure, axes = grid(len(types), len(layers), width=2.3, height=2.4, sharey="col")
    for row, sae_type in zip(axes, types):
        for axis, layer in zip(row, layers):
            part = table[(table["type"] == sae_type) & (table["layer"] == layer)]
            for network in drawn:
                _curves(axis, network.of(part), network)
            axis.set(title=f"{layer}, {SAE_TYPES[sae_type]}", yscale="log")
            l0_axis(axis)
        row[0].set_ylabel("KL from the network, nats")
    for axis in axes[:-1].flat:
        axis.set_xlabel("")
    network_legend(figure, axes.flat[0])
    figure.suptitle(f"SAEs spliced into {which['architecture']}")
    return figure


def _curves(axis, part: pd.DataFrame, network: Network) -> None:
    """A line a (network, SAE seed)."""
    label = network.label
    for _, curve in part.groupby(["model", "sae_seed"]):
        curve = curve.sort_values("l0")
        error = [curve["kl"] - curve["kl_low"], curve["kl_high"] - curve["kl"]]
        axis.errorbar(curve["l0"], curve["kl"], yerr=error, fmt="o", ls=network.line, ms=3, lw=1.2,
                      color=network.colour, label=label)  # fmt: skip
        axis.axhline(curve["ablated_kl"].iloc[0], color=network.colour, lw=0.8, ls=":")
        label = None
