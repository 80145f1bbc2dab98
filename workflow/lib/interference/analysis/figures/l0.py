"""L0 under attack for one network (the preprint's Fig. 6), with the noise control beside it.

A block a norm of the attacks; in it a column a layer, a row an SAE type; the middle sparsity of
each sweep.
"""

from itertools import cycle

import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.style import (
    BLUE,
    GREY,
    NORMS,
    ORANGE,
    PURPLE,
    RED,
    SAE_TYPES,
    epsilon_axis,
    networks,
)

COLOURS = (RED, ORANGE, PURPLE, BLUE)
#: Inches a panel, and of the title of a block.
SIDE, TITLE = 2.2, 0.3


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """table: l0; which: {"model"}: a network."""
    table = table[table["model"] == which["model"]]
    types = [t for t in SAE_TYPES if t in set(table["type"])]
    layers = sorted(table["layer"].unique(), key=lambda layer: (layer != "stem", layer))
    norms = [norm for norm in NORMS if norm in set(table["norm"])]
    (network,) = networks(table)
    first = table.iloc[0]
    title = f"{first['model_architecture']}, {network.label}, seed {first['model_seed']}"
    figure = Figure(figsize=(SIDE * len(layers), (SIDE * len(types) + TITLE) * len(norms)))
    for block, norm in zip(figure.subfigures(len(norms), squeeze=False).flat, norms):
        _block(block, table[table["norm"] == norm], types, layers)
        block.suptitle(f"{title}, attacks in {NORMS[norm]}")
    return figure


def _block(figure, table: pd.DataFrame, types: list[str], layers: list[str]) -> None:
    axes = figure.subplots(len(types), len(layers), squeeze=False)
    for row, sae_type in zip(axes, types):
        for axis, layer in zip(row, layers):
            part = table[(table["type"] == sae_type) & (table["layer"] == layer)]
            sweep = sorted(part["sparsity"].unique())
            part = part[part["sparsity"] == sweep[len(sweep) // 2]]
            _panel(axis, part[part["sae_seed"] == part["sae_seed"].min()])
            axis.set_title(
                f"{layer}, {SAE_TYPES[sae_type]} {part['sparsity'].iloc[0]:g}", fontsize=8
            )
        row[0].set_ylabel("$L_0$, attacked over clean")
    for axis in axes.flat:
        epsilon_axis(axis, table["norm"].iloc[0], table["epsilon"], "attack")
    for axis in axes[:-1].flat:
        axis.set_xlabel("")
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)


def _panel(axis, part: pd.DataFrame) -> None:
    attacks = sorted(part["attack"].unique(), key=lambda a: (a in set(part["control"]), a))
    colours = cycle(COLOURS)
    for attack in attacks:
        rows = part[part["attack"] == attack].sort_values("epsilon")
        control = attack in set(part["control"])
        error = [rows["ratio"] - rows["ratio_low"], rows["ratio_high"] - rows["ratio"]]
        axis.errorbar(rows["epsilon"], rows["ratio"], yerr=error, ms=3, label=attack,
                      fmt="^--" if control else "o-", color=GREY if control else next(colours))  # fmt: skip
    axis.axhline(1, color="black", lw=0.6)
