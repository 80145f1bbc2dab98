"""Canvases: what adversarial training adds to the least change that flips, by term.

One column per regime, one row per kind of cells that training attacks.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interference.analysis.figures.doses import regimes
from interference.analysis.figures.style import GREEN, GREY, ORANGE, RED, grid
from interference.analysis.statistics import student

#: cells attacked in training → title
ATTACKED = {"all": "all cells", "own": "own cell alone", "others": "other cells alone"}
#: column → colour, label
TERMS = {
    "gain_full": (RED, "$\\log r_{full}$"),
    "gain_own": (GREEN, "$\\log r_{own}$ (own sensitivity)"),
    "gain_interference": (ORANGE, "$\\log(r_{full}/r_{own})$ (interference)"),
}
#: The distance of terms over that of epsilons.
STEP = 0.22


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw all regimes; bars are Student's intervals over seeds. table: adversarial. which: ``confidence``."""
    columns = [*regimes(table[table["attacked"] != ""])]
    figure, axes = grid(
        len(ATTACKED), max(len(columns), 1), width=3.8, height=2, sharex=True, sharey=True
    )
    for column, (title, rows) in zip(axes.T, columns):
        for axis, (attacked, name) in zip(column, ATTACKED.items()):
            _panel(axis, rows[rows["attacked"] == attacked], which["confidence"])
            axis.set_title(f"{title}\ntrained against {name}", fontsize=9)
        column[-1].set_xlabel("training radius ($L_2$, pixels in [0, 1])")
    for axis in axes[:, 0]:
        axis.set_ylabel("gain over\nclean training")
    axes[0, -1].legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _panel(axis: Axes, rows: pd.DataFrame, confidence: float) -> None:
    """Draw a bar per epsilon and term, and a dot per seed."""
    epsilons = sorted(rows["epsilon"].unique())
    axis.axhline(0, color=GREY, lw=0.8)
    for number, (column, (colour, label)) in enumerate(TERMS.items()):
        shift = STEP * (number - 1)
        for place, epsilon in enumerate(epsilons):
            values = rows.loc[rows["epsilon"] == epsilon, column].to_numpy()
            low, high = student(values, confidence)
            mean = values.mean()
            axis.bar(place + shift, mean, STEP, color=colour, label=label if place == 0 else None)
            axis.errorbar(place + shift, mean, [[mean - low], [high - mean]], color="black", lw=1)
            axis.plot([place + shift + STEP / 4] * len(values), values, ".", ms=3, color="black")
    axis.set_xticks(range(len(epsilons)), [f"{epsilon:g}" for epsilon in epsilons])
    axis.grid(axis="x", visible=False)
