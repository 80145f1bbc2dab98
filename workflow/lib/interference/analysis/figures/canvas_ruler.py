"""Canvases: proxies of superposition held against its known dose.

One row per proxy; columns: what varies. A line per regime and seed, their mean thick.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.style import BLUE, RED, grid

#: proxy → label; measures of the user's own have their names
LABELS = {
    "fvu": "FVU",
    "fvu_over_gaussian": "FVU over\na Gaussian's",
    "pca_fvu": "FVU of PCA",
    "effective_features": "effective\nfeatures $F$",
    "psi": r"$\psi = F / d$",
    "coherence": "coherence",
    "woken": "L0 under attack\nover noise's",
    "interference_to_signal": "known: interference-\nto-signal",
    "squared_cosines": "known: $\\sum\\cos^2$",
}
#: what varies → label
VARIED = {
    "dose_n": "dose, $m$ fixed",
    "dose_m": "dose, $n$ fixed",
    "density": "density $p$",
    "width": "dimensions $m$, dose fixed",
    "scale": "activations times",
}


def draw(proxies: pd.DataFrame, which: dict) -> Figure:
    """Draw every proxy. proxies: canvas/….proxies, one row per (regime, seed, proxy, value of what varies).
    which: not read."""
    names = proxies["proxy"].unique()
    varied = [vary for vary in VARIED if vary in set(proxies["vary"])]
    colours = dict(zip(sorted(proxies["regime"].unique()), (BLUE, RED)))
    figure, axes = grid(len(names), len(varied), width=1.9, height=1.5, sharex="col", sharey="row")
    for row, name in zip(axes, names):
        for axis, vary in zip(row, varied):
            part = proxies[(proxies["proxy"] == name) & (proxies["vary"] == vary)]
            x = "dose" if vary.startswith("dose") else "value_of_what_varies"
            for regime, rows in part.groupby("regime"):
                colour = colours.get(regime, BLUE)
                for _, seed in rows.groupby("seed"):
                    seed = seed.sort_values(x)
                    axis.plot(seed[x], seed["value"], lw=0.5, alpha=0.5, color=colour)
                mean = rows.groupby(x)["value"].mean()
                axis.plot(mean.index, mean, "o-", ms=3, lw=1.2, color=colour, label=regime)
            ticks = np.unique(part[x])
            axis.set_xscale("log")
            axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=7)
            axis.minorticks_off()
        row[0].set_ylabel(LABELS.get(name, name), fontsize=8)
    for axis, vary in zip(axes[-1], varied):
        axis.set_xlabel(VARIED[vary], fontsize=8)
    axes[0, 0].legend(fontsize=7)
    return figure
