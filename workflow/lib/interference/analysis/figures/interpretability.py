"""MLPs over training epsilon: how much units and latents are about one thing, beside random directions that
are as sparse. One column per kind of features and number of hidden units."""

from itertools import product

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interference.analysis.figures.means import means
from interference.analysis.figures.style import BLUE, GREY, RED, grid

#: column → label of the axis
PANELS = {
    "selectivity": "class selectivity\n(1 − entropy)",
    "coherence": "coherence of images\n(mean cosine)",
    "active": "active images\n(share)",
}
HUES = {"units": BLUE, "latents": RED}


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw networks that still tell classes apart; bars are Student's intervals over seeds.

    table: interpretability. which: ``confidence``.
    """
    table = table[table["alive"]]
    columns = [*product(HUES, sorted(table["width"].unique()))]
    figure, axes = grid(len(PANELS), len(columns), width=1.9, height=2.0, sharex=True, sharey="row")
    for column, (features, width) in zip(axes.T, columns):
        rows = table[(table["features"] == features) & (table["width"] == width)]
        column[0].set_title(f"{features}, {width} hidden units", fontsize=8)
        for axis, name in zip(column, PANELS):
            _points(axis, rows, name, HUES[features], features, which["confidence"])
            if f"{name}_random" in rows:
                _points(
                    axis, rows, f"{name}_random", GREY, "random, as sparse", which["confidence"]
                )
        column[-1].set_xlabel("training $\\epsilon$ ($L_\\infty$)", fontsize=8)
    for axis, label in zip(axes[:, 0], PANELS.values()):
        axis.set_ylabel(label, fontsize=8)
    named = {
        label: line for axis in axes[0] for line, label in zip(*axis.get_legend_handles_labels())
    }
    axes[0, -1].legend(named.values(), named, fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _points(
    axis: Axes, rows: pd.DataFrame, name: str, colour: str, label: str, confidence: float
) -> None:
    """Draw a column over epsilon: means over seeds, of each seed the mean over classes."""
    by_seed = rows.pivot_table(index="seed", columns="epsilon", values=name)
    samples = {
        float(epsilon): by_seed[epsilon].dropna().to_numpy()
        for epsilon in by_seed.columns.to_numpy()
    }
    means(axis, samples, confidence, fmt="o-", ms=3, lw=1.2, color=colour, label=label)
