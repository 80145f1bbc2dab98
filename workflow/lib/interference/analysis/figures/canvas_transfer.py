"""Canvases: attacks on the network of one seed, shown to those of all others.

One column per regime and dose: share of attacks that flip the feature there, by cells that may change.
"""

import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.style import BLUE, RED, grid
from interference.analysis.statistics import student

REGIONS = {"own": "own\ncell", "others": "other\ncells", "all": "all\ncells", "noise": "noise"}
#: features → colour
FEATURES = {"independent": BLUE, "correlated": RED}
#: The distance of the two kinds of features over that of regions.
STEP = 0.2


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw all regimes; bars are Student's intervals over attacked networks. table: transfer. which:
    ``confidence``."""
    columns = [*table.groupby(["regime", "decoder", "dose"])]
    figure, axes = grid(1, max(len(columns), 1), width=3.6, sharey=True)
    for axis, ((regime, decoder, dose), rows) in zip(axes[0], columns):
        for number, (features, colour) in enumerate(FEATURES.items()):
            part = rows[rows["features"] == features]
            shift = STEP * (number - 0.5)
            for place, region in enumerate(REGIONS):
                values = part.loc[part["region"] == region, "success"].to_numpy()
                if not len(values):
                    continue
                low, high = student(values, which["confidence"])
                mean = values.mean()
                axis.plot([place + shift] * len(values), values, ".", ms=3, alpha=0.5, color=colour)
                axis.errorbar(place + shift + STEP / 3, mean, [[mean - low], [high - mean]], fmt="o",
                              ms=4, color=colour, label=features if place == 0 else None)  # fmt: skip
        axis.set_xticks(range(len(REGIONS)), list(REGIONS.values()))
        axis.set_title(f"{regime}, {decoder} decoder, dose {dose:g}", fontsize=9)
        axis.set_ylim(-0.03, 1.03)
        axis.grid(axis="x", visible=False)
    axes[0, 0].set_ylabel("flips the feature in another seed\n(share of attacks)")
    axes[0, 0].legend(title="features", fontsize=8)
    return figure
