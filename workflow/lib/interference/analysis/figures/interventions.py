"""What woken latents do: predictions that return without them, and that break with them alone.

One column per layer; of each SAE type one row per intervention. A mark per network and set of latents.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interference.analysis.figures.style import (
    grid,
    layers,
    regime_legend,
    regimes,
    sae_types,
)
from interference.analysis.frames import SAE_TYPES

#: Sets in the order of the axis, controls after what they are controls of.
SETS = {
    "woken": "woken",
    "random": "as many\nrandom",
    "top": "as many\ntop",
    "error": "as far\nbeyond SAE",
    "silenced": "silenced",
    "latents": "all\nlatents",
    "errors": "all\nbeyond SAE",
}
INTERVENTIONS = {"restore": "put back: right again", "insert": "put in: wrong"}
#: Distance of two networks' marks on the axis of sets.
STEP = 0.14


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw one architecture. Error bars: the table's intervals.

    table: interventions, one row per (member, intervention, set).
    which: ``architecture``.
    """
    columns = layers(table)
    kinds = [(sae_type, name) for sae_type in sae_types(table) for name in INTERVENTIONS]
    figure, axes = grid(len(kinds), len(columns), width=3.1, height=2.1, sharey="row")
    for row, (sae_type, intervention) in zip(axes, kinds):
        for axis, layer in zip(row, columns):
            _panel(
                axis,
                table[
                    (table["type"] == sae_type)
                    & (table["layer"] == layer)
                    & (table["intervention"] == intervention)
                ],
                table,
            )
            axis.set_title(f"{layer}, {SAE_TYPES[sae_type]}", fontsize=9)
        row[0].set_ylabel(f"{INTERVENTIONS[intervention]},\nshare of predictions", fontsize=8)
    regime_legend(figure, axes.flat[0])
    figure.suptitle(f"Latents that an attack woke in {which['architecture']}")
    return figure


def _panel(axis: Axes, part: pd.DataFrame, table: pd.DataFrame) -> None:
    """Draw one mark per regime and set: of one network, or of the mean of several."""
    drawn = regimes(table)
    for place, regime in enumerate(drawn):
        label: str | None = regime.label
        shift = STEP * (place - (len(drawn) - 1) / 2)
        rows = regime.of(part)
        rows = rows[rows["about"] != "one of several"]
        for _, marks in rows.groupby(["about", "model", "sae_seed"], dropna=False):
            marks = marks.set_index("set").loc[list(SETS)]
            error = [marks["share"] - marks["share_low"], marks["share_high"] - marks["share"]]
            axis.errorbar([i + shift for i in range(len(SETS))], marks["share"], yerr=error,
                          fmt="o", ms=3, lw=1, color=regime.colour, label=label)  # fmt: skip
            label = None
    axis.set_xticks(range(len(SETS)), list(SETS.values()), fontsize=5.5)
    axis.set_ylim(-0.03, 1.03)
