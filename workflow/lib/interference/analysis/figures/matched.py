"""FVU at equal L0 against the training epsilon, for one SAE type: a panel a layer."""

import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.style import BLUE, NORMS, ORANGE, SAE_TYPES, grid


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """table: matched; which: {"type"}. Error bars: bootstrap over held-out images."""
    table = table[table["type"] == which["type"]]
    layers = sorted(table["layer"].unique(), key=lambda layer: (layer != "stem", layer))
    figure, axes = grid(1, max(len(layers), 1), width=2.3, height=2.6)
    for axis, layer in zip(axes.flat, layers):
        mine = table[table["layer"] == layer]
        for family, colour in (("l2", BLUE), ("linf", ORANGE)):
            lines = mine[mine["family"] == family]
            for _, curve in lines.groupby(["model_seed", "sae_seed"]):
                curve = curve.sort_values("model_epsilon")
                error = [curve["fvu"] - curve["low"], curve["high"] - curve["fvu"]]
                axis.errorbar(curve["model_epsilon"], curve["fvu"], yerr=error, fmt="o-", ms=3,
                              color=colour, label=NORMS[family])  # fmt: skip
        title = f"{layer}, $L_0$ = {mine['l0'].iloc[0]:.3g}"
        for family, trend in mine.groupby("family").first().iterrows():
            title += f"\n{NORMS[family]}: $\\rho$ = {trend['trend']:.2f} "
            title += f"[{trend['trend_low']:.2f}, {trend['trend_high']:.2f}]"
        axis.set_title(title, fontsize=8)
        axis.set_xlabel("training $\\epsilon$")
    axes.flat[0].set_ylabel("FVU at equal $L_0$")
    figure.suptitle(f"{SAE_TYPES[which['type']]}: reconstruction at equal sparsity")
    return figure
