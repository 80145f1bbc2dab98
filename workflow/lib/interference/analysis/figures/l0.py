"""L0 under attack for one network (the preprint's Fig. 6), with controls on pixels beside it.

One block per norm of the attacks; in it one column per layer and one row per SAE type, at the middle
sparsity of each sweep. Activations displaced within the layer, whose L0 is many times as large, are in
the table alone.
"""

from itertools import cycle

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from interference.analysis.figures.style import (
    BLUE,
    GREY,
    NORMS,
    ORANGE,
    PURPLE,
    RED,
    epsilon_axis,
    layers,
    regimes,
    sae_types,
)
from interference.analysis.frames import SAE_TYPES, middle
from interference.config.values import DISPLACED

COLOURS = (RED, ORANGE, PURPLE, BLUE)
#: Of controls, all grey.
MARKERS = ("^", "v", "s", "D", "P", "X")
#: Inches of a panel's side, and of the title of a block.
SIDE, TITLE = 2.2, 0.3


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw one network. Error bars: intervals over images.

    table: l0, one row per (member, attack, epsilon, reference, quantity).
    which: ``model``.
    """
    controls = set(table["reference"]) - {"clean"}
    table = table[(table["quantity"] == "l0") & (table["reference"] == "clean")]
    table = table[(table["model"] == which["model"]) & ~table["attack"].isin(DISPLACED)]
    types, columns = sae_types(table), layers(table)
    norms = [norm for norm in NORMS if norm in set(table["norm"])]
    (regime,) = regimes(table)
    first = table.iloc[0]
    title = f"{first['model_architecture']}, {regime.label}, seed {first['model_seed']}"
    figure = Figure(figsize=(SIDE * len(columns), (SIDE * len(types) + TITLE) * len(norms)))
    for block, norm in zip(figure.subfigures(len(norms), squeeze=False).flat, norms):
        _block(block, table[table["norm"] == norm], types, columns, controls)
        block.suptitle(f"{title}, attacks in {NORMS[norm]}")
    return figure


def _block(
    figure: SubFigure,
    table: pd.DataFrame,
    types: list[str],
    columns: list[str],
    controls: set[str],
) -> None:
    """Draw the attacks of one norm. columns: the layers."""
    axes = figure.subplots(len(types), len(columns), squeeze=False)
    for row, sae_type in zip(axes, types):
        for axis, layer in zip(row, columns):
            part = table[(table["type"] == sae_type) & (table["layer"] == layer)]
            part = part[part["sparsity"] == middle(part["sparsity"])]
            _panel(axis, part[part["sae_seed"] == part["sae_seed"].min()], controls)
            axis.set_title(
                f"{layer}, {SAE_TYPES[sae_type]} {part['sparsity'].iloc[0]:g}", fontsize=8
            )
        row[0].set_ylabel("$L_0$, attacked over clean")
    for axis in axes.flat:
        epsilon_axis(axis, table["norm"].iloc[0], table["epsilon"], "attack")
    for axis in axes[:-1].flat:
        axis.set_xlabel("")
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)


def _panel(axis: Axes, part: pd.DataFrame, controls: set[str]) -> None:
    """Draw one line per attack, controls last."""
    attacks = sorted(part["attack"].unique(), key=lambda attack: (attack in controls, attack))
    colours, markers = cycle(COLOURS), cycle(MARKERS)
    for attack in attacks:
        rows = part[part["attack"] == attack].sort_values("epsilon")
        control = attack in controls
        error = [rows["ratio"] - rows["ratio_low"], rows["ratio_high"] - rows["ratio"]]
        axis.errorbar(rows["epsilon"], rows["ratio"], yerr=error, ms=3, label=attack,
                      fmt=f"{next(markers)}--" if control else "o-",
                      color=GREY if control else next(colours))  # fmt: skip
    axis.axhline(1, color="black", lw=0.6)
