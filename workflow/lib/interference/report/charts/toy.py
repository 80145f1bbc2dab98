"""Charts of toy models: superposition and vulnerability over density, and one against the other."""

from collections.abc import Iterator, Mapping

import altair as alt
import pandas as pd

from interference.report.charts.base import (
    Chart,
    curves,
    finished,
    inline,
    legend,
    named,
    options,
    pick,
    picked,
    span,
    tips,
)

#: quantity of the table toy → label with its unit
QUANTITIES = {
    "vulnerability": "vulnerability (clean at density 1: 1)",
    "gain": "gain of the loss over ε²",
    "increase_ratio": "increase of the loss (clean at density 1: 1)",
    "features_per_dimension": "features per dimension, ‖W‖² / m",
    "learned_features_per_dimension": "learned features per dimension",
    "interference": "interference, mean (WᵀW)ᵢⱼ²",
    "shrinkage_share": "share of the gain that shrinking explains",
}
ATTACKS = ("strongest", "one-step", "analytic", "pgd", "trust-region", "bound")
ATTACK_NAMES = {"one-step": "one-step (the preprint’s)", "bound": "certified upper bound"}
TRAINING = {"clean": "blue", "adversarial": "red", "shrunk": "orange"}
TRAINING_NAMES = {"shrunk": "clean, shrunk to adversarial length"}
INPUTS = {"own": "their own density", "common": "one common density"}


def charts(tables: Mapping[str, pd.DataFrame]) -> Iterator[Chart]:
    """Yield the charts of the table toy, if there is one."""
    if "toy" not in tables or tables["toy"].empty:
        return
    table = tables["toy"]
    table = table.assign(training=table["training"].replace(TRAINING_NAMES))
    yield _curves(table)
    yield _phase(table)


def _shades(table: pd.DataFrame) -> alt.Color:
    names = {TRAINING_NAMES.get(name, name): hue for name, hue in TRAINING.items()}
    here = {name: hue for name, hue in names.items() if name in set(table["training"])}
    return legend("training", here, "training")


def _curves(table: pd.DataFrame) -> Chart:
    quantities = [name for name in QUANTITIES if name in set(table["quantity"])]
    attacks = options(table["attack"], ATTACKS)
    controls = [
        pick("quantity", "quantity", quantities, QUANTITIES),
        pick("attack", "attack", attacks, ATTACK_NAMES),
        pick("inputs", "on inputs of", options(table["inputs"], [*INPUTS]), INPUTS),
    ]
    kept = [
        "training",
        "density",
        "inputs",
        "attack",
        "quantity",
        "mean",
        "low",
        "high",
        "seeds",
        "each",
    ]
    frame = table.loc[table["quantity"].isin(quantities), kept].dropna(subset=["mean"])
    base = picked(alt.Chart(inline(frame)), *controls)
    y = alt.Y("mean:Q", title=None, scale=span())
    tooltip = tips(training="training", density="density p#", mean="mean#", low="from#", high="to#",
                   seeds="seeds#", each="each seed")  # fmt: skip
    drawn = curves(base, density_axis(), y, tooltip, band=True, color=_shades(table))
    return Chart(
        "toy",
        "Superposition and vulnerability over density",
        "A hundred features compete for a few dimensions; the sparser they are (to the right), the "
        "more are stored. Bands are the extremes of the seeds. Superposition does not depend on the "
        "attack.",
        finished(drawn, "A chosen quantity of toy models over density, a line per training.", controls,
                 title=named("quantity", QUANTITIES)),
        ("toy",),
        "toy",
    )  # fmt: skip


def density_axis() -> alt.X:
    """The x axis of density, sparser to the right."""
    scale = span("log", reverse=True)
    axis = alt.Axis(values=[1, 0.5, 0.2, 0.1, 0.05, 0.02], format="~g")
    return alt.X("density:Q", title="density p (sparser to the right)", scale=scale, axis=axis)


def _phase(table: pd.DataFrame) -> Chart:
    own = table[table["inputs"] == "own"]
    keys = ["training", "density", "attack"]
    wide = own.pivot_table(
        index=keys, columns="quantity", values=["mean", "low", "high"], sort=True
    )
    frame = wide["mean"][["features_per_dimension", "vulnerability"]].dropna()
    frame = frame.assign(
        low=wide["low"]["vulnerability"], high=wide["high"]["vulnerability"],
        left=wide["low"]["features_per_dimension"], right=wide["high"]["features_per_dimension"],
        seeds=own.groupby(keys)["seeds"].max(),
        each=own[own["quantity"] == "vulnerability"].groupby(keys)["each"].first(),
    ).reset_index()  # fmt: skip
    controls = [pick("attack", "attack", options(frame["attack"], ATTACKS), ATTACK_NAMES)]
    base = picked(alt.Chart(inline(frame)), *controls)
    x = alt.X("features_per_dimension:Q", title="features per dimension, ‖W‖² / m",
              scale=span())  # fmt: skip
    y = alt.Y("vulnerability:Q", title=QUANTITIES["vulnerability"], scale=span())
    shades = _shades(frame)
    tooltip = tips(
        training="training", density="density p#", features_per_dimension="features per dimension#",
        left="… from#", right="… to#", vulnerability="vulnerability#", low="… from#", high="… to#",
        seeds="seeds#", each="each seed",
    )  # fmt: skip
    across = base.mark_rule(strokeWidth=1.2).encode(
        x=alt.X("left:Q", title=x["title"], scale=x["scale"]),
        x2="right:Q",
        y=y,
        color=shades,
    )
    drawn = curves(base, x, y, tooltip, color=shades, order=alt.Order("density:Q"))
    return Chart(
        "toy-phase",
        "Vulnerability against superposition",
        "Each point is a density. If superposition alone made models vulnerable, both trainings would "
        "lie on one curve. Bars are the extremes of the seeds.",
        finished([across, *drawn],
                 "Vulnerability of toy models against features per dimension.", controls),
        ("toy",),
        "toy",
    )  # fmt: skip
