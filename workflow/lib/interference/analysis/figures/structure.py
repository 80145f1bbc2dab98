"""What perturbations look like: spectra by training epsilon, and mean frequency and likeness of neighbours."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interference.analysis.figures.style import (
    BLUE,
    GREEN,
    GREY,
    NORMS,
    ORANGE,
    curves,
    epsilon_axis,
    grid,
    regime_legend,
    regimes,
)

#: Bands of the spectrum, from the lowest.
BANDS = ("≤ 1/8", "1/4", "1/2", "1", "> 1")
#: What a line is of: reference, column of the table → colour, label
LINES = {
    ("noise", "perturbation"): (BLUE, "perturbations"),
    ("noise", "other"): (GREY, "noise"),
    ("step", "other"): (ORANGE, "step along gradient"),
    ("gradient", "other"): (GREEN, "gradient"),
}
#: measure → axis title
MEASURES = {
    "centroid": "mean frequency (of Nyquist's)",
    "coherence": "correlation of neighbours",
}


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw one architecture. Error bars: the table's intervals.

    table: structure, one row per (reference, measure, family, network). which: ``architecture``.
    """
    norms = [norm for norm in ("l2", "linf") if norm in set(table["family"])] or ["clean"]
    figure, axes = grid(2, 1 + len(norms), width=3.5, height=2.7)
    _spectra(axes[0, 0], table, "noise", "perturbation", "perturbations")
    _spectra(axes[1, 0], table, "step", "other", "one step along the gradient")
    for axis, (measure, title) in zip(axes[:, 1:], MEASURES.items()):
        for panel, norm in zip(axis, norms):
            _over_epsilon(panel, table, norm, measure)
            panel.set(ylabel=title)
    for panel, norm in zip(axes[0, 1:], norms):
        panel.set(title=f"trained at {NORMS[norm]}")
    axes[0, 1].legend(fontsize=7)
    figure.suptitle(which["architecture"])
    regime_legend(figure, axes[0, 0])
    return figure


def _spectra(axis: Axes, table: pd.DataFrame, reference: str, column: str, title: str) -> None:
    """Shares of the energy by band, a line per training; and those of noise on the first one's images."""
    drawn = regimes(table)
    _spectrum(axis, drawn[0].of(table), "noise", "other", color=GREY, ls=":")
    for regime in drawn:
        look = {"color": regime.colour, "ls": regime.line, "label": regime.label}
        _spectrum(axis, regime.of(table), reference, column, **look)
    axis.set(title=title, ylim=(0, None), ylabel="share of energy",
             xlabel="frequency (of Nyquist's, up to)")  # fmt: skip
    axis.set_xticks(range(len(BANDS)), BANDS)


def _spectrum(axis: Axes, rows: pd.DataFrame, reference: str, column: str, **look: Any) -> None:
    chosen = (rows["reference"] == reference) & rows["measure"].str.startswith("share")
    rows = rows[chosen & (rows["about"] != "one of several")]
    # clean networks are in each family
    rows = rows.drop_duplicates("measure").sort_values("measure")
    bars = [rows[column] - rows[f"{column}_low"], rows[f"{column}_high"] - rows[column]]
    axis.errorbar(range(len(rows)), rows[column], yerr=bars, marker="o", ms=3, lw=1.2, **look)


def _over_epsilon(axis: Axes, table: pd.DataFrame, norm: str, measure: str) -> None:
    """One measure of perturbations and of what stands beside them, against the training epsilon."""
    family = table[(table["family"] == norm) & (table["measure"] == measure)].assign(sae_seed=0)
    for (reference, column), (colour, label) in LINES.items():
        rows = family[family["reference"] == reference]
        for curve, look in curves(rows, column, "model_epsilon", "model_seed", label):
            axis.errorbar(curve["model_epsilon"], curve[column], fmt="o-", color=colour, **look)
    epsilon_axis(axis, "l2" if norm == "clean" else norm, family["model_epsilon"], "training")
