"""What SAEs cost the network that they are spliced into: KL against sparsity.

A column a layer, a row an SAE type; a line a network, dotted where the layer is at its mean.
"""

import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.style import NORMS, SAE_TYPES, grid, l0_axis, shades


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """table: splice, one row a member. Error bars: bootstrap over evaluation images."""
    types = [t for t in SAE_TYPES if t in set(table["type"])]
    layers = sorted(table["layer"].unique(), key=lambda layer: (layer != "stem", layer))
    networks = table[["model_norm", "model_epsilon"]].drop_duplicates()
    networks = networks.sort_values(["model_epsilon", "model_norm"])
    figure, axes = grid(len(types), len(layers), width=2.3, height=2.4, sharey="col")
    for row, sae_type in zip(axes, types):
        for axis, layer in zip(row, layers):
            part = table[(table["type"] == sae_type) & (table["layer"] == layer)]
            for colour, network in zip(shades(len(networks)), networks.itertuples(index=False)):
                mine = part[(part[["model_norm", "model_epsilon"]] == list(network)).all(axis=1)]
                _curves(axis, mine, colour, _label(*network))
            axis.set(title=f"{layer}, {SAE_TYPES[sae_type]}", yscale="log")
            l0_axis(axis)
        row[0].set_ylabel("KL from the network, nats")
    for axis in axes[:-1].flat:
        axis.set_xlabel("")
    figure.legend(*axes.flat[0].get_legend_handles_labels(), title="trained at",
                  loc="outside right center", fontsize=8)  # fmt: skip
    figure.suptitle("SAEs spliced into the network")
    return figure


def _label(norm: str, epsilon: float) -> str:
    return "clean" if epsilon == 0 else f"{NORMS[norm]} {epsilon:g}"


def _curves(axis, part: pd.DataFrame, colour, label: str | None) -> None:
    """A line a (network, SAE seed)."""
    for _, curve in part.groupby(["model", "sae_seed"]):
        curve = curve.sort_values("l0")
        error = [curve["kl"] - curve["kl_low"], curve["kl_high"] - curve["kl"]]
        axis.errorbar(curve["l0"], curve["kl"], yerr=error, fmt="o-", ms=3, lw=1.2,
                      color=colour, label=label)  # fmt: skip
        axis.axhline(curve["ablated_kl"].iloc[0], color=colour, lw=0.8, ls=":")
        label = None
