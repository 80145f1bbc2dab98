"""MLPs over classes and hidden units: what adversarial training adds to their effective features, and
whether they still tell classes apart."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interference.analysis.figures.means import means
from interference.analysis.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, grid

COLOURS = (BLUE, GREEN, ORANGE, RED, PURPLE, "black")
#: column → title
GAINS = {
    "gain": "all networks",
    "gain_alive": "that still tell classes apart",
    "gain_beyond": "beyond the hidden units' own",
}
#: Distance of lines over that of widths.
STEP = 0.07


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw all of it; bars are Student's intervals over seeds. table: abundance. which: ``confidence``."""
    figure, axes = grid(2, len(GAINS), width=3.4, height=2.5, sharex=True, sharey="row")
    once = table[table["epsilon"] == 0]
    for axis, (column, title) in zip(axes[0], GAINS.items()):
        axis.axhline(0, color=GREY, lw=0.8)
        _lines(axis, once, column, which["confidence"])
        axis.set_title(title, fontsize=9)
    furthest = table[table["epsilon"] == table["epsilon"].max()]
    at = f"trained at $L_\\infty$ $\\epsilon$ = {table['epsilon'].max():g}"
    for axis, rows, column, title in (
        (axes[1, 0], once, "accuracy", "clean images, trained clean"),
        (axes[1, 1], furthest, "accuracy", f"clean images, {at}"),
        (axes[1, 2], furthest, "robust", f"attacked images, {at}"),
    ):
        _lines(axis, rows, column, which["confidence"])
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("hidden units")
        axis.set_ylim(-0.03, 1.03)
    widths = sorted(table["width"].unique())
    axes[0, 0].set_xticks(range(len(widths)), [f"{width}" for width in widths])
    axes[0, 0].set_ylabel("effective features added\n(relative, to largest $\\epsilon$)")
    axes[1, 0].set_ylabel("accuracy")
    axes[0, -1].legend(title="classes", fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _lines(axis: Axes, rows: pd.DataFrame, column: str, confidence: float) -> None:
    """Draw a line per number of classes over hidden units."""
    widths = sorted(rows["width"].unique())
    for number, (classes, own) in enumerate(rows.groupby("classes")):
        by_width = own.dropna(subset=[column]).groupby("width")[column]
        samples = {
            widths.index(width) + STEP * (number - 1.5): values.to_numpy()
            for width, values in by_width
        }
        colour = COLOURS[number % len(COLOURS)]
        means(axis, samples, confidence, fmt="o-", ms=3, lw=1.2, color=colour, label=f"{classes}")
    axis.grid(axis="x", visible=False)
