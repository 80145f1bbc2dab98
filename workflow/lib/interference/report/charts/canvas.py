"""Charts of canvases: least changes that flip a feature, over the dose and over adversarial training."""

from collections.abc import Iterable, Iterator, Mapping

import altair as alt
import pandas as pd

from interference.analysis.figures.canvas_dose import FAMILIES
from interference.analysis.figures.canvas_ladder import ATTACKED
from interference.analysis.figures.canvas_ruler import LABELS, VARIED
from interference.report.charts.base import (
    Chart,
    curves,
    finished,
    inline,
    legend,
    menu,
    options,
    pick,
    picked,
    rule_at,
    span,
)
from interference.report.charts.seeds import intervals, over_seeds, tips_over_seeds

#: column, which is a logarithm → what it is
RADII = {
    "log_r_own": "own cell",
    "log_r_others": "all other cells",
    "log_r_full": "all cells",
}
TERMS = {"interference": "attack", "noise_interference": "noise"}
GAINS = {
    "gain_full": "all cells",
    "gain_own": "own cell (own sensitivity)",
    "gain_interference": "all over own (interference)",
}
#: region of the table transfer → what it is
REGIONS = {"own": "own cell", "others": "all other cells", "all": "all cells", "noise": "noise"}
HUES = {
    "own cell": "green",
    "own cell (own sensitivity)": "green",
    "all other cells": "orange",
    "all over own (interference)": "orange",
    "all cells": "red",
    "attack": "red",
    "noise": "grey",
}
RADIUS = "least change that flips (L2, pixels in [0, 1])"
RATIO = "r_full / r_own (1: interference adds nothing)"
BY = ["regime", "decoder"]


def charts(tables: Mapping[str, pd.DataFrame], confidence: float) -> Iterator[Chart]:
    """Yield the charts of those tables that there are, with intervals over seeds of this confidence."""
    dose = "dose, features per dimension"
    if "dose" in tables and len(tables["dose"]):
        # of the other families several networks share a dose
        table = tables["dose"][tables["dose"]["family"].isin(FAMILIES)]
        yield _over_dose(
            table, "dose", "canvas_dose", "Least changes that flip a feature, over the dose",
            "The least L2 change of a canvas that flips one feature, over all pixels (all cells), over "
            "those of the feature’s own image, and over those of all others. What all cells add to the "
            "own one is interference.", RADII, RADIUS, dose, confidence,
        )  # fmt: skip
        yield _over_dose(
            table, "dose-ratio", "canvas_dose", "What interference gives an attack, over the dose",
            "The least change over all cells divided by that over the own cell: 1 where interference "
            "adds nothing. Noise of the same kind beside it: what noise gains, too, is no privilege of "
            "attacks.", TERMS, RATIO, dose, confidence, line=1,
        )  # fmt: skip
    if "crossover" in tables and len(tables["crossover"]):
        yield _over_dose(
            tables["crossover"], "crossover", "canvas_crossover", "Doses within one network",
            "Blocks of a bottleneck have different doses, and features are rotated through them, so "
            "that everything else is the same.", TERMS, RATIO, "dose of the feature’s block", confidence, line=1,
        )  # fmt: skip
    if "adversarial" in tables and len(tables["adversarial"]):
        yield _ladder(tables["adversarial"], confidence)
    if "transfer" in tables and len(tables["transfer"]):
        yield _transfer(tables["transfer"], confidence)
    if "proxies" in tables and len(tables["proxies"]):
        yield _ruler(tables["proxies"], confidence)
    if "mounted" in tables and len(tables["mounted"]):
        yield _mounted(tables["mounted"], confidence)


def _controls(table: pd.DataFrame) -> list[alt.Parameter]:
    """Menus of regime and, where a regime has several, of decoder."""
    controls = menu("regime", "regime", options(table["regime"]))
    if table.groupby("regime")["decoder"].nunique().max() > 1:
        controls += menu("decoder", "decoder", options(table["decoder"]))
    return controls


def _legend(names: Iterable[str]) -> alt.Color:
    return legend("what", {name: HUES[name] for name in names})


def _over_dose(
    table: pd.DataFrame, name: str, figure: str, title: str, caption: str,
    columns: Mapping[str, str], unit: str, dose: str, confidence: float, *, line: float | None = None,
) -> Chart:  # fmt: skip
    controls, by = _controls(table), [*BY, "dose"]
    if "family" in table:
        controls += menu("family", "networks", options(table["family"], ["dose"]))
        by = [*by, "family"]
    frame = over_seeds(table, by, columns, confidence, exponential=True)
    base = picked(alt.Chart(inline(frame)), *controls)
    doses = sorted(frame["dose"].unique().tolist())
    x = alt.X("dose:Q", title=dose, axis=alt.Axis(values=doses, format="~g"),
              scale=span("log"))  # fmt: skip
    y = alt.Y("value:Q", title=unit, scale=span("log"))
    drawn = curves(
        base, x, y, tips_over_seeds("mean", dose="dose"), color=_legend(columns.values())
    )
    if line is not None:
        drawn = [rule_at(line), *drawn]
    caption += f" {intervals('bars', confidence)}"
    source = "crossover" if name == "crossover" else "dose"
    return Chart(name, title, caption, finished(drawn, title, controls), (source,), figure)


def _ladder(table: pd.DataFrame, confidence: float) -> Chart:
    table = table[table["attacked"] != ""]
    controls = [*_controls(table), pick("attacked", "trained against", [*ATTACKED], ATTACKED)]
    frame = over_seeds(table, [*BY, "attacked", "epsilon"], GAINS, confidence)
    base = picked(alt.Chart(inline(frame)), *controls)
    values = sorted(frame["epsilon"].unique().tolist())
    x = alt.X(
        "epsilon:Q", title="training radius (L2, pixels in [0, 1])", axis=alt.Axis(values=values)
    )
    y = alt.Y("value:Q", title="gain over clean training (log of the least change)", scale=span())
    drawn = [
        rule_at(0),
        *curves(base, x, y, tips_over_seeds("gain", epsilon="ε"), color=_legend(GAINS.values())),
    ]
    title = "What adversarial training buys"
    return Chart(
        "ladder",
        title,
        "Gain of the least change that flips, at one dose, split into own sensitivity and interference: "
        f"the two add up. {intervals('bars', confidence)}",
        finished(drawn, "Gain over clean training against the training radius, by term.", controls),
        ("adversarial",),
        "canvas_ladder",
    )  # fmt: skip


def _transfer(table: pd.DataFrame, confidence: float) -> Chart:
    controls = _controls(table)
    controls += menu("features", "features", options(table["features"], ["independent"]))
    regions = [name for region, name in REGIONS.items() if region in set(table["region"])]
    by = [*BY, "features", "region", "dose"]
    frame = over_seeds(table, by, {"success": "pairs that flip"}, confidence)
    frame = frame.assign(what=frame["region"].map(REGIONS))
    colours = _legend(regions)
    base = picked(alt.Chart(inline(frame)), *controls)
    x = alt.X(
        "dose:O", title="dose, features per dimension", axis=alt.Axis(labelAngle=0, format="~g")
    )
    y = alt.Y("value:Q", title="pairs that flip in another seed’s network (share)",
              scale=alt.Scale(zero=True))  # fmt: skip
    offset = alt.XOffset("what:N", sort=regions)
    drawn = [
        base.mark_rule(strokeWidth=1.2).encode(
            x=x, xOffset=offset, y=alt.Y("low:Q", title=y["title"]), y2="high:Q", color=colours
        ),
        base.mark_point(filled=True, size=70, opacity=1).encode(
            x=x, xOffset=offset, y=y, color=colours, tooltip=tips_over_seeds("share", dose="dose")
        ),
    ]  # fmt: skip
    return Chart(
        "transfer",
        "Attacks between seeds",
        "Share of pairs that an attack on one seed’s network flips in the networks of other seeds. "
        f"{intervals('bars', confidence)}",
        finished(drawn, "Share of pairs that transferred attacks flip, by region and dose.", controls),
        ("transfer",),
        "canvas_transfer",
    )  # fmt: skip


def _mounted(table: pd.DataFrame, confidence: float) -> Chart:
    table = table.assign(dose=[f"{dose:g}" for dose in table["dose"]])
    controls = _controls(table)
    controls += menu("dose", "dose", options(table["dose"], ["3"]))
    norms = {"l2": "L2", "linf": "Linf"}
    there = [norm for norm in norms if norm in set(table["model_norm"])] or ["l2"]
    controls.append(pick("norm", "networks trained in", there, norms))
    # the clean networks are the start of each norm's curve
    parts = [table[table["model_norm"].isin(["clean", norm])].assign(norm=norm) for norm in there]
    by = [*BY, "dose", "norm", "model_epsilon"]
    columns = {name: RADII[name] for name in ("log_r_own", "log_r_full")}
    frame = over_seeds(pd.concat(parts), by, columns, confidence, exponential=True)
    base = picked(alt.Chart(inline(frame)), *controls)
    x = alt.X("model_epsilon:Q", title="training ε of the network (pixels in [0, 1])")
    y = alt.Y("value:Q", title=RADIUS, scale=span("log"))
    drawn = curves(
        base, x, y, tips_over_seeds("mean", model_epsilon="ε"), color=_legend(columns.values())
    )
    return Chart(
        "mounted",
        "On frozen networks",
        "Bottlenecks taught on networks that were trained for something else, clean or against "
        f"attacks. The distance of the curves is interference. {intervals('bars', confidence)}",
        finished(drawn, "Least changes on frozen networks, over their training epsilon.", controls),
        ("mounted",),
        "canvas_mounted",
    )  # fmt: skip


def _ruler(table: pd.DataFrame, confidence: float) -> Chart:
    names = {name: label.replace("-\n", "-").replace("\n", " ") for name, label in LABELS.items()}
    names |= {"effective_features": "effective features F", "psi": "ψ = F / d",
              "squared_cosines": "known: Σ cos²"}  # fmt: skip
    varied = {name: label.replace("$", "") for name, label in VARIED.items()}
    controls = _controls(table)
    frame = over_seeds(
        table, [*BY, "proxy", "vary"], {"of_dose": "moves over the dose’s"}, confidence
    )
    frame = frame.assign(
        what=frame["vary"].map(varied), proxy=[names.get(name, name) for name in frame["proxy"]]
    )
    frame = frame[frame["vary"] != "dose_n"]
    palette = dict(zip([n for n in varied if n != "dose_n"], ("blue", "purple", "orange", "green")))
    colours = legend("what", {varied[name]: hue for name, hue in palette.items()})
    base = picked(alt.Chart(inline(frame)), *controls)
    shown = [names[name] for name in names if name in set(table["proxy"])]
    shown += [name for name in options(frame["proxy"]) if name not in shown]
    y = alt.Y(
        "proxy:N",
        title=None,
        sort=shown,
        axis=alt.Axis(labelLimit=190, grid=True),
        scale=alt.Scale(paddingInner=0.3),
    )
    scale = alt.Scale(type="symlog", constant=0.5)
    x = alt.X(
        "value:Q", title="move of the proxy, over its move under the dose (ratio)", scale=scale
    )
    offset = alt.YOffset("what:N", sort=[varied[name] for name in palette])
    drawn = [
        alt.Chart(alt.InlineData(values=[{"at": 0.5}])).mark_rule(
            color="currentColor", opacity=0.55, strokeDash=[2, 3]
        ).encode(x=alt.X("at:Q", scale=scale)),
        base.mark_rule(strokeWidth=1.2).encode(
            y=y, yOffset=offset, color=colours, x=alt.X("low:Q", title=x["title"], scale=scale),
            x2="high:Q",
        ),
        base.mark_point(filled=True, size=55, opacity=1).encode(
            y=y, yOffset=offset, color=colours, x=x, tooltip=tips_over_seeds("ratio", proxy="proxy")
        ),
    ]  # fmt: skip
    spec = finished(
        drawn, "Moves of proxies under density, width, scale, over those under the dose.", controls
    )
    return Chart(
        "ruler",
        "Can superposition be read off activations?",
        "How far each proxy moves when something else than the dose varies, over how far it moves "
        "under the dose. A valid one stays left of the dotted line at a half. "
        f"{intervals('bars', confidence)}",
        {**spec, "height": 40 * len(shown)},
        ("proxies",),
        "canvas_ruler",
    )  # fmt: skip
