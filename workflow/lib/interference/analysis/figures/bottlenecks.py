"""Classifiers through a bottleneck: what attacks do to them over its dimensions, and whether geometry
foretold it. One column per training epsilon."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interference.analysis.figures.means import means
from interference.analysis.figures.style import BLUE, GREY, RED, grid

#: column → label of the axis, and its controls by label
PANELS = {
    "fallen": ("falls under attack\n(share of images)", {}),
    "cosine": (
        "attack along what class\nvectors say (cosine)",
        {"cosine_shuffled": "shuffled vectors", "cosine_other": "towards any other class"},
    ),
    "profile": ("lands at near vectors\n(rank correlation)", {"swapped": "of another frame"}),
    "transfer": (
        "transfers to like vectors\n(partial rank corr.)",
        {"transfer_null": "permuted classifiers"},
    ),
}
#: kind → colour, and distance from the width over that of widths
KINDS = {"learned": (BLUE, -0.12), "forced": (RED, 0.12)}
MARKERS = ("x", "+")


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw all of it; bars are Student's intervals over seeds. table: bottlenecks. which: ``confidence``."""
    columns = [*table.groupby("epsilon")]
    figure, axes = grid(len(PANELS), len(columns), width=4.2, height=2.1, sharex=True, sharey="row")
    widths = sorted(table["width"].unique())
    for column, (epsilon, rows) in zip(axes.T, columns):
        trained = "trained clean" if epsilon == 0 else f"trained at $L_2$ $\\epsilon$ = {epsilon:g}"
        column[0].set_title(trained, fontsize=9)
        for axis, (name, (_, controls)) in zip(column, PANELS.items()):
            _panel(axis, rows, widths, name, controls, which["confidence"])
        column[-1].set_xticks(range(len(widths)), [f"{width}" for width in widths])
        column[-1].set_xlabel("dimensions of the bottleneck")
    for axis, (label, _) in zip(axes[:, 0], PANELS.values()):
        axis.set_ylabel(label)
    for axis in axes[:, -1]:
        axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _panel(
    axis: Axes,
    rows: pd.DataFrame,
    widths: Sequence[int],
    name: str,
    controls: dict[str, str],
    confidence: float,
) -> None:
    """Draw a measure of both kinds of class vectors, and its controls in a lighter shade."""
    if controls:
        axis.axhline(0, color=GREY, lw=0.8)
    for kind, (colour, shift) in KINDS.items():
        own = rows[rows["kind"] == kind]
        _points(axis, own, widths, name, shift, colour, "o", kind, confidence)
        for marker, (control, label) in zip(MARKERS, controls.items()):
            label = f"{kind}, {label}"
            _points(axis, own, widths, control, shift, colour, marker, label, confidence)
    axis.grid(axis="x", visible=False)


def _points(
    axis: Axes,
    rows: pd.DataFrame,
    widths: Sequence[int],
    name: str,
    shift: float,
    colour: str,
    marker: str,
    label: str,
    confidence: float,
) -> None:
    """Draw means over seeds with their intervals; what is not defined anywhere is left out."""
    known = rows.dropna(subset=[name])
    by_width = known.groupby(["width", "seed"])[name].mean().groupby("width")
    samples = {widths.index(width) + shift: values.to_numpy() for width, values in by_width}
    faint = marker != "o"
    means(
        axis, samples, confidence, fmt=marker, ls=":" if faint else "-", ms=5 if faint else 4,
        lw=0.8 if faint else 1.2, color=colour, alpha=0.5 if faint else 1, label=label,
    )  # fmt: skip
