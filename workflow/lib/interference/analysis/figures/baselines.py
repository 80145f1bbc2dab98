"""SAEs and their baselines against the training epsilon: a column a layer, a row a k.

The axis of FVU is logarithmic: lines that fall by the same factor are parallel.
"""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from interference.analysis.figures.style import BLUE, GREY, NORMS, ORANGE, PURPLE, SAE_TYPES, grid

#: column of the table → label, colour
LINES = {
    "fvu": ("SAE", BLUE),
    "fvu_gaussian": ("SAE on a Gaussian", ORANGE),
    "fvu_whitened": ("SAE on whitened rows", PURPLE),
    "fvu_pca": ("PCA", GREY),
}
STYLES = {"l2": "o-", "linf": "s--"}


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """table: baselines. Error bars: bootstrap over held-out images; dashed: Linf training."""
    layers = sorted(table["layer"].unique(), key=lambda layer: (layer != "stem", layer))
    sweep = sorted(table["sparsity"].unique())
    sae_type = SAE_TYPES[table["type"].iloc[0]]
    figure, axes = grid(len(sweep), len(layers), width=2.2, height=2.4, sharex=True)
    for row, k in zip(axes, sweep):
        for axis, layer in zip(row, layers):
            part = table[(table["sparsity"] == k) & (table["layer"] == layer)]
            _panel(axis, part)
            axis.set(title=f"{layer}, $k$ = {k:g}", yscale="log")
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.yaxis.set_minor_formatter(NullFormatter())
        row[0].set_ylabel("FVU on held-out images")
    for axis in axes[-1]:
        axis.set_xlabel("training $\\epsilon$")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    unique = dict(zip(labels, handles))
    figure.legend(unique.values(), unique, loc="outside right center", fontsize=8)
    figure.suptitle(f"{sae_type} beside baselines")
    return figure


def _panel(axis, part: pd.DataFrame) -> None:
    norms = [norm for norm in STYLES if norm in set(part["model_norm"])]
    for norm in norms or ["l2"]:
        mine = part[part["model_norm"].isin([norm, "clean"])]
        for _, curve in mine.groupby(["model_seed", "sae_seed"]):
            curve = curve.sort_values("model_epsilon")
            for name, (label, colour) in LINES.items():
                if len(norms) > 1:
                    label = f"{label}, {NORMS[norm]}"
                error = [curve[name] - curve[f"{name}_low"], curve[f"{name}_high"] - curve[name]]
                axis.errorbar(curve["model_epsilon"], curve[name], yerr=error, fmt=STYLES[norm],
                              ms=3, lw=1.2, color=colour, label=label)  # fmt: skip
