"""SAEs and their baselines against the training epsilon.

One column per layer, one row per norm and k.

The axis of FVU is logarithmic: lines that fall by the same factor are parallel.
"""

from itertools import product

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from interference.analysis.figures.style import (
    BLUE,
    GREY,
    ORANGE,
    PURPLE,
    curves,
    epsilon_axis,
    grid,
    layers,
)
from interference.analysis.frames import SAE_TYPES

#: column of the table → label, colour
LINES = {
    "fvu": ("SAE", BLUE),
    "fvu_gaussian": ("SAE on a Gaussian", ORANGE),
    "fvu_whitened": ("SAE on whitened rows", PURPLE),
    "fvu_pca": ("PCA", GREY),
}


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw one architecture. Error bars: the table's intervals.

    table: baselines, one row per (model, layer, k, SAE seed).
    which: ``architecture``.
    """
    columns = layers(table)
    norms = [norm for norm in ("l2", "linf") if norm in set(table["model_norm"])] or ["l2"]
    rows = list(product(norms, sorted(table["sparsity"].unique())))
    sae_type = SAE_TYPES[table["type"].iloc[0]]
    figure, axes = grid(len(rows), len(columns), width=2.2, height=2.4)
    for row, (norm, k) in zip(axes, rows):
        family = table[table["model_norm"].isin(["clean", norm])]
        for axis, layer in zip(row, columns):
            _panel(axis, family[(family["sparsity"] == k) & (family["layer"] == layer)])
            axis.set(title=f"{layer}, $k$ = {k:g}", yscale="log")
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.yaxis.set_minor_formatter(NullFormatter())
            epsilon_axis(axis, norm, family["model_epsilon"], "training")
        row[0].set_ylabel("FVU on held-out images")
    figure.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    figure.suptitle(f"{which['architecture']}, {sae_type} beside baselines")
    return figure


def _panel(axis: Axes, part: pd.DataFrame) -> None:
    """Draw one line per (column of LINES, network seed, SAE seed), and their mean."""
    for name, (label, colour) in LINES.items():
        for curve, look in curves(part, name, x="model_epsilon", by="model_seed", label=label):
            axis.errorbar(curve["model_epsilon"], curve[name], fmt="o-", color=colour, **look)
