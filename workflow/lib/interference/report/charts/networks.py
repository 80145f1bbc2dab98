"""Charts of networks: accuracy under attack, reconstruction by SAEs, and what it is held against."""

from collections.abc import Iterator, Mapping
from typing import Any

import altair as alt
import pandas as pd

from interference.analysis.figures.style import layers, sae_types
from interference.analysis.frames import SAE_TYPES
from interference.report.charts.base import (
    NORMS,
    Chart,
    colour,
    curves,
    epsilon_axis,
    finished,
    inline,
    legend,
    menu,
    options,
    pick,
    picked,
    rule_at,
    span,
    tips,
    trainings,
)
from interference.report.charts.seeds import over_trainings

FVU = "FVU on held-out images (share of variance)"
L0 = alt.X("l0:Q", title="L0 (active latents per row)", scale=span("log"))
#: column of the table baselines → what it is, its colour
BASELINES = {
    "fvu": ("SAE", "blue"),
    "fvu_gaussian": ("SAE on a Gaussian", "orange"),
    "fvu_whitened": ("SAE on whitened rows", "purple"),
    "fvu_pca": ("PCA", "grey"),
}


def charts(tables: Mapping[str, pd.DataFrame]) -> Iterator[Chart]:
    """Yield the charts of those tables that there are."""
    for name, draw in {
        "accuracy": _accuracy,
        "saes": _saes,
        "matched": _matched,
        "baselines": _baselines,
        "splice": _splice,
    }.items():
        if name in tables and len(tables[name]):
            yield draw(tables[name])


def summed_up(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """`over_trainings`, with the kind of training in words."""
    table = over_trainings(table, column)
    words, _ = trainings(table)
    return table.assign(training=words)


def where(table: pd.DataFrame) -> list[alt.Parameter]:
    """The menus that most charts share: architecture where there are several, layer and SAE type."""
    return [
        *menu("model_architecture", "architecture", options(table["model_architecture"])),
        *menu("layer", "layer", layers(table)),
        *menu("type", "SAE type", sae_types(table), SAE_TYPES),
    ]


def families(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the norm of each family of networks, and its rows, clean networks in each."""
    if "family" in table:
        for norm, rows in table.groupby("family"):
            yield str(norm), rows
        return
    norms = [norm for norm in ("l2", "linf") if norm in set(table["model_norm"])] or ["clean"]
    for norm in norms:
        yield norm, table[table["model_norm"].isin(["clean", norm])]


def over_training(
    table: pd.DataFrame, columns: list[str], y: alt.Y, tooltip: list[alt.Tooltip],
    controls: list[alt.Parameter], description: str, *, line: float | None = None, **channels: Any,
) -> dict:  # fmt: skip
    """A chart over the training epsilon, with a menu of the norm where there are several.

    table: of `summed_up`. columns: those that it needs beside epsilon, norm, interval and each.
    line: a value of y that is marked.
    """
    parts = [
        rows.assign(epsilon=rows["model_epsilon"], norm=norm) for norm, rows in families(table)
    ]
    frame = pd.concat(parts)
    norms = options(frame["norm"])
    controls = [*controls, *menu("norm", "trained in", norms, NORMS)]
    kept = [*columns, "each", "epsilon", "training", "norm", *(c.name for c in controls)]
    base = picked(alt.Chart(inline(frame[[*dict.fromkeys(kept)]])), *controls)
    radii = {
        norm: sorted(rows["model_epsilon"].unique().tolist()) for norm, rows in families(table)
    }
    x = epsilon_axis(radii, "training")
    drawn = curves(base, x, y, tooltip, **channels)
    if line is not None:
        drawn = [rule_at(line), *drawn]
    return finished(drawn, description, controls)


def _accuracy(table: pd.DataFrame) -> Chart:
    table = table[table["type"] != "clean"]
    attacks = options(table["attack"])
    start = next((name for name in attacks if name.startswith("pgd")), attacks[0])
    controls = [
        *menu("model_architecture", "architecture", options(table["model_architecture"])),
        pick("attack", "attack", attacks, start=start),
    ]
    kept = ["attack", "epsilon", "accuracy", "low", "high", "training", "model", "model_architecture",
            "norm", "images", "perturbation_norm"]  # fmt: skip
    words, shades = trainings(table)
    table = table.assign(norm=table["norm"].map(NORMS), training=words)
    base = picked(alt.Chart(inline(table[kept])), *controls)
    y = alt.Y(
        "accuracy:Q",
        title="accuracy (share of images)",
        scale=alt.Scale(type="linear", domain=[0, 1]),
    )
    x = alt.X("epsilon:Q", title="attack ε (pixels in [0, 1])", scale=span())
    tooltip = tips(
        model="network", attack="attack", norm="norm", **{"epsilon": "ε#", "accuracy": "accuracy#"},
        low="from#", high="to#", images="images#", perturbation_norm="norm of perturbations#",
    )  # fmt: skip
    drawn = curves(base, x, y, tooltip, color=shades, detail=alt.Detail("model:N"))
    return Chart(
        "accuracy",
        "Accuracy under attack",
        "Share of attacked images that each network gets right. Bars are intervals over images.",
        finished(drawn, "Accuracy of every network against the radius of an attack.", controls),
        ("accuracy",),
        "accuracy",
    )


def _saes(table: pd.DataFrame) -> Chart:
    table = summed_up(table, "fvu")
    controls = where(table)
    kept = ["model_architecture", "layer", "type", "sparsity", "l0", "fvu", "fvu_low", "fvu_high",
            "training", "dead_fraction", "networks", "sae_seeds", "images", "each"]  # fmt: skip
    frame = table[kept].rename(columns={"fvu_low": "low", "fvu_high": "high"})
    base = picked(alt.Chart(inline(frame)), *controls)
    _, shades = trainings(table)
    y = alt.Y("fvu:Q", title=FVU, scale=span("log"))
    tooltip = _of_saes(
        fvu="FVU#", l0="L0#", sparsity="sparsity setting#", dead_fraction="dead latents, share#"
    )
    return Chart(
        "saes",
        "Reconstruction against sparsity",
        "Fraction of variance unexplained (FVU) of every sweep of SAEs, over how many latents are "
        "active. A network whose curve lies lower is rebuilt better from as few latents.",
        finished(
            curves(base, L0, y, tooltip, color=shades),
            "FVU against L0, a line per kind of training.",
            controls,
        ),
        ("saes",),
        "fvu",
    )  # fmt: skip


def _of_saes(**fields: str) -> list[alt.Tooltip]:
    """What hovering shows of SAEs: numbers with interval, and the trainings that stand behind them."""
    return tips(
        training="trained at", **fields, low="from#", high="to#", networks="networks#",
        sae_seeds="SAE seeds#", images="images#", each="each seed",
    )  # fmt: skip


def _matched(table: pd.DataFrame) -> Chart:
    table = summed_up(table, "fvu").rename(columns={"fvu_low": "low", "fvu_high": "high"})
    columns = ["model_architecture", "l0", "fvu", "low", "high", "networks", "sae_seeds", "images",
               "trend", "trend_low", "trend_high"]  # fmt: skip
    y = alt.Y("fvu:Q", title="FVU at equal L0", scale=span())
    tooltip = _of_saes(
        fvu="FVU#", l0="at L0#", trend="ρ with ε#", trend_low="ρ from#", trend_high="ρ to#"
    )
    return Chart(
        "matched",
        "Reconstruction at equal measured sparsity",
        "FVU at the L0 that all sweeps of a layer reach, over the training radius. The preprint says "
        "that it falls. ρ is Spearman’s correlation of the two.",
        over_training(table, columns, y, tooltip, where(table), "FVU at equal L0 against training ε.",
                      color=alt.value(colour("blue"))),
        ("matched",),
        "matched",
    )  # fmt: skip


def _baselines(table: pd.DataFrame) -> Chart:
    parts = []
    for column, (name, _) in BASELINES.items():
        ends = {"value": column, "low": f"{column}_low", "high": f"{column}_high"}
        own = summed_up(table, column)
        parts.append(own.assign(rebuilt=name, **{new: own[old] for new, old in ends.items()}))
    frame = pd.concat(parts)
    controls = where(frame)
    controls += menu("sparsity", "k", options(frame["sparsity"]))
    y = alt.Y("value:Q", title=FVU, scale=span("log"))
    columns = ["model_architecture", "rebuilt", "value", "low", "high", "sparsity", "networks",
               "sae_seeds", "images", "beyond", "beyond_low", "beyond_high"]  # fmt: skip
    tooltip = _of_saes(
        rebuilt="rebuilt by", value="FVU#", sparsity="k#", beyond="SAE’s fall over a Gaussian’s#",
        beyond_low="… from#", beyond_high="… to#",
    )  # fmt: skip
    return Chart(
        "baselines",
        "Beyond what covariance explains",
        "The same SAEs on rows of the layer, on rows of a Gaussian with the layer’s mean and "
        "covariance, which has no sparse features, and on whitened rows; and PCA with as many "
        "components. Only a fall that the Gaussian does not share speaks for superposition.",
        over_training(frame, columns, y, tooltip, controls,
                      "FVU of SAEs and of three baselines against training ε.",
                      color=legend("rebuilt", dict(BASELINES.values()))),
        ("baselines",),
        "baselines",
    )  # fmt: skip


def _splice(table: pd.DataFrame) -> Chart:
    table = summed_up(table, "kl")
    controls = where(table)
    kept = ["model_architecture", "layer", "type", "sparsity", "l0", "kl", "kl_low", "kl_high",
            "training", "accuracy", "clean_accuracy", "networks", "sae_seeds", "images",
            "each"]  # fmt: skip
    frame = table[kept].rename(columns={"kl_low": "low", "kl_high": "high"})
    base = picked(alt.Chart(inline(frame)), *controls)
    _, shades = trainings(table)
    y = alt.Y("kl:Q", title="KL from the network (nats)", scale=span("log"))
    tooltip = _of_saes(
        kl="KL, nats#", l0="L0#", accuracy="accuracy#", clean_accuracy="network’s own#"
    )
    return Chart(
        "splice",
        "What the network loses with a reconstruction in place of a layer",
        "Divergence of predictions when the SAE’s reconstruction takes the place of the layer. A bar that "
        "ends at a tenth of its value has its end at or below 0, which a logarithmic axis has not.",
        finished(
            curves(base, L0, y, tooltip, color=shades),
            "KL divergence from the network against L0, a line per kind of training.",
            controls,
        ),
        ("splice",),
        "splice",
    )  # fmt: skip
