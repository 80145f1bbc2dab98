"""What attacks teach: accuracy on clean images of networks that learned from attacks alone, and from noise, over
the training epsilon of the network that was attacked; one column per kind of targets."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interference.analysis.figures.means import means
from interference.analysis.figures.style import BLUE, GREY, ORANGE, RED, grid

#: targets → title; column → how its line is drawn, above, and below
TITLES = {"random": "label: a drawn class", "next": "label: the class after the own"}
LINES = {
    "accuracy": {"label": "learned from attacks", "color": RED},
    "noise_accuracy": {"label": "learned from noise", "color": GREY},
    "source_accuracy": {"label": "the attacked network", "color": BLUE},
}
TURNED = {"success": {"label": "taken for the target", "color": ORANGE}}


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw all of it; bars are Student's intervals over seeds. table: relearning. which: ``confidence``."""
    figure, axes = grid(2, len(TITLES), width=2.7, height=2.0, sharex=True, sharey="row")
    for column, (targets, title) in zip(axes.T, TITLES.items()):
        rows = table[table["targets"] == targets]
        column[0].set_title(title, fontsize=8)
        column[0].axhline(rows["chance"].max(), color="black", lw=0.8, ls=":", label="chance")
        _lines(column[0], rows, LINES, which["confidence"])
        _lines(column[1], rows, TURNED, which["confidence"])
        column[1].set_xlabel(
            "$\\epsilon$ at which the attacked\nnetwork was trained ($L_\\infty$)", fontsize=8
        )
        for axis in column:
            axis.set_ylim(0, 1)
    axes[0, 0].set_ylabel("accuracy on clean images", fontsize=8)
    axes[1, 0].set_ylabel("training images turned", fontsize=8)
    for axis in axes[:, -1]:
        axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _lines(axis: Axes, rows: pd.DataFrame, lines: dict[str, dict], confidence: float) -> None:
    """Draw columns over epsilon: means over seeds."""
    for column, look in lines.items():
        samples = {
            epsilon: rows.loc[rows["epsilon"] == epsilon, column].to_numpy()
            for epsilon in sorted(set(rows["epsilon"].tolist()))
        }
        means(axis, samples, confidence, fmt="o-", ms=3, lw=1.2, **look)
