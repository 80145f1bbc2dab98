"""Canvases on frozen networks: least changes and their interference term, over training epsilon.

One column per regime and norm of adversarial training; rows: log r_own, log r_full and their difference.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import offset_copy

from interference.analysis.figures.doses import regimes
from interference.analysis.figures.style import BLUE, NORMS, RED, epsilon_axis, grid
from interference.analysis.statistics import student

#: column → axis title
TERMS = {
    "log_r_own": "$\\log r_{own}$\n(own sensitivity)",
    "log_r_full": "$\\log r_{full}$\n(all cells)",
    "interference": "$\\log(r_{full}/r_{own})$\n(interference)",
}
#: How far doses are drawn from their epsilon, points.
APART = 4
#: Colours of doses, the least first; of more they come again.
COLOURS = (BLUE, RED, "black")


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw all regimes and norms; dots are seeds, bars Student's intervals over them. table: mounted.
    which: ``confidence``."""
    columns = [*_columns(table)]
    figure, axes = grid(
        len(TERMS), max(len(columns), 1), width=3.4, height=2, sharex="col", sharey="row"
    )
    for column, (title, norm, rows) in zip(axes.T, columns):
        for axis, term in zip(column, TERMS):
            _panel(axis, figure, rows, term, which["confidence"])
            epsilon_axis(axis, norm, rows["model_epsilon"], "training")
        column[0].set_title(title, fontsize=9)
    for axis, label in zip(axes[:, 0], TERMS.values()):
        axis.set_ylabel(label)
    axes[0, -1].legend(title="dose", fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _columns(table: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield per regime and norm the title, the norm, and the rows of its networks and the clean ones."""
    norms = [norm for norm in ("l2", "linf") if norm in set(table["model_norm"])] or ["l2"]
    for title, rows in regimes(table):
        for norm in norms:
            part = rows[rows["model_norm"].isin(["clean", norm])]
            yield f"{title}\nnetworks trained in {NORMS[norm]}", norm, part


def _panel(axis: Axes, figure: Figure, rows: pd.DataFrame, term: str, confidence: float) -> None:
    """Draw a term of each dose over training epsilon: seeds, their means, and intervals over them."""
    doses = sorted(rows["dose"].unique())
    for number, dose in enumerate(doses):
        colour = COLOURS[number % len(COLOURS)]
        part = rows[rows["dose"] == dose].sort_values("model_epsilon")
        shift = APART * (number - (len(doses) - 1) / 2)
        moved = offset_copy(axis.transData, figure, x=shift, units="points")
        by_epsilon = part.groupby("model_epsilon")[term]
        mean = by_epsilon.mean()
        ends = np.array([student(values.to_numpy(), confidence) for _, values in by_epsilon])
        bars = [mean - ends[:, 0], ends[:, 1] - mean]
        # what is drawn beside its epsilon moves no limits of the axes
        reached = np.concatenate([part[term], ends[np.isfinite(ends)]])
        axis.update_datalim([(mean.index[0], reached.min()), (mean.index[-1], reached.max())])
        axis.errorbar(mean.index, mean, bars, fmt="o-", ms=3, lw=1.2, color=colour,
                      label=f"{dose:g}", transform=moved)  # fmt: skip
        axis.plot(
            part["model_epsilon"], part[term], ".", ms=3, alpha=0.5, color=colour, transform=moved
        )
    axis.autoscale_view()
