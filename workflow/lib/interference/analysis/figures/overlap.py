"""Attacks between MLPs: success over how alike two networks are, by three measures of likeness."""

import pandas as pd
from matplotlib.figure import Figure

from interference.analysis.figures.style import PAIRS, grid

#: measure of likeness → what it is
LIKENESS = {
    "cka": "CKA of hidden units",
    "matched": "correlation of matched latents",
    "interference": "likeness of interference",
}
#: Columns that name two networks that were trained alike, in either order; or the kinds of two that were not.
TWO = ("one", "other")


def points(table: pd.DataFrame) -> pd.DataFrame:
    """Mean success, and likeness, of two networks that were trained alike; of all others, of two kinds of
    networks, over seeds: one row each, with the names `TWO`, alike, and how many ordered pairs it is of.

    table: overlap; of networks that still tell classes apart.
    """
    rows = table[table["alive"]].reset_index(drop=True)
    for side in ("source", "target"):
        kind = [
            f"{width} units, {f'ε = {epsilon:g}' if epsilon else 'clean'}"
            for width, epsilon in zip(rows[f"{side}_width"], rows[f"{side}_epsilon"])
        ]
        seed = [f"{k}, seed {s}" for k, s in zip(kind, rows[f"{side}_seed"])]
        rows[f"{side}_shown"] = pd.Series(seed).where(rows["alike"], pd.Series(kind))
    names = rows[["source_shown", "target_shown"]]
    ordered = [sorted(pair) for pair in names.to_numpy()]
    rows[[*TWO]] = pd.DataFrame(ordered, columns=[*TWO], index=rows.index)
    by = [*TWO, "alike"]
    found = rows.groupby(by)[[*LIKENESS, "success"]].mean().reset_index()
    return found.assign(pairs=rows.groupby(by).size().to_numpy())


def draw(table: pd.DataFrame, which: dict) -> Figure:
    """Draw all of it; no wildcards. table: overlap."""
    shown = points(table)
    figure, axes = grid(1, len(LIKENESS), width=3.0, height=2.6, sharey=True)
    for axis, (column, label) in zip(axes.flat, LIKENESS.items()):
        for alike, (colour, name) in PAIRS.items():
            part = shown[shown["alike"] == alike]
            axis.plot(
                part[column], part["success"], "o", ms=2.5, alpha=0.7, color=colour, label=name
            )
        axis.set_xlabel(label, fontsize=8)
        axis.set_ylim(0, 1)
    axes.flat[0].set_ylabel("images that fall (share)", fontsize=8)
    axes.flat[0].legend(fontsize=7)
    return figure
