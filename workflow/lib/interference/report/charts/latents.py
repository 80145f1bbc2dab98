"""Charts of latents under attack: how many wake, compared fairly, what they do, and defences."""

from collections.abc import Iterator, Mapping

import altair as alt
import pandas as pd

from interference.analysis.figures.defences import DEFENCES
from interference.analysis.figures.interventions import INTERVENTIONS, SETS
from interference.analysis.frames import middle
from interference.report.charts.base import (
    NORMS,
    Chart,
    colour,
    curves,
    finished,
    inline,
    legend,
    menu,
    named,
    options,
    pick,
    picked,
    rule_at,
    span,
    tips,
    trainings,
)
from interference.report.charts.networks import over_training, summed_up, where

#: quantity of the table l0 → how it reads
QUANTITIES = {
    "l0": "L0, active latents",
    "woken": "woken latents",
    "interference_share": "interference’s share of the drive",
}
#: Shapes of controls, one per round of colours.
SHAPES = ("triangle-up", "square", "diamond", "cross", "triangle-down", "stroke")
#: (comparison, among) of the table fair → how it reads, its colour
COMPARED = {
    ("equal epsilon", "right"): ("all, at equal ε", "blue"),
    ("equal success", "right"): ("all, at equal success", "red"),
    ("equal epsilon", "fell"): ("images that fell", "orange"),
    ("equal epsilon", "stood"): ("images that stood", "grey"),
}


def charts(tables: Mapping[str, pd.DataFrame]) -> Iterator[Chart]:
    """Yield the charts of those tables that there are."""
    for name, draw in {
        "l0": _l0,
        "fair": _fair,
        "interventions": _interventions,
        "defences": _defences,
    }.items():
        if name in tables and len(tables[name]):
            yield draw(tables[name])


def _l0(table: pd.DataFrame) -> Chart:
    table = table[table["quantity"].isin([*QUANTITIES])]
    sparsities = table.groupby(["layer", "type"])["sparsity"].transform(middle)
    table = summed_up(table[table["sparsity"] == sparsities], "ratio")
    quantities = [name for name in QUANTITIES if name in set(table["quantity"])]
    references = options(table["reference"], ["clean"])
    controls = [
        *where(table),
        pick("training", "network trained at", options(table["training"], ["clean"])),
        pick("quantity", "quantity", quantities, QUANTITIES),
        pick("reference", "over", references, {"clean": "clean images"}),
        *menu("norm", "attacks in", options(table["norm"]), NORMS),
    ]
    kept = ["model_architecture", "layer", "type", "training", "quantity", "reference", "attack",
            "epsilon", "norm", "value", "reference_value", "ratio", "ratio_low", "ratio_high",
            "networks", "sae_seeds", "images", "each"]  # fmt: skip
    frame = table[kept].rename(columns={"ratio_low": "low", "ratio_high": "high"})
    frame = frame.dropna(subset=["ratio"])
    base = picked(alt.Chart(inline(frame)), *controls)
    against = set(references)
    attacks = sorted(options(frame["attack"]), key=lambda name: name in against)
    palette = [colour(name) for name in ("red", "blue", "orange", "purple", "green", "grey")]
    scale = alt.Scale(domain=attacks, range=palette)
    controls_of = [name for name in attacks if name in against]
    marked = {name: SHAPES[place // len(palette)] for place, name in enumerate(controls_of)}
    shapes = alt.Scale(domain=attacks, range=[marked.get(name, "circle") for name in attacks])
    dashes = alt.Scale(
        domain=attacks, range=[[4, 3] if name in against else [1, 0] for name in attacks]
    )
    channels = {
        "color": alt.Color("attack:N", title=None, scale=scale),
        "shape": alt.Shape("attack:N", title=None, scale=shapes),
        "strokeDash": alt.StrokeDash("attack:N", title=None, scale=dashes),
    }
    y = alt.Y("ratio:Q", title=None, scale=span("log"))
    x = alt.X("epsilon:Q", title="attack ε (pixels in [0, 1])", scale=span())
    tooltip = tips(
        attack="attack", norm="norm", epsilon="ε#", ratio="ratio#", low="from#", high="to#",
        value="under attack#", reference_value="reference#", networks="networks#",
        sae_seeds="SAE seeds#", images="images#", each="each seed",
    )  # fmt: skip
    drawn = [rule_at(1), *_lines(base, x, y, tooltip, channels)]
    return Chart(
        "l0",
        "Latents under attack, and under controls",
        "How many latents are active under an attack, over clean images or over a control as strong: "
        "noise of the same norm, perturbations shuffled among images, one band of frequencies, "
        "activations displaced as far. Circles are attacks. Of each sweep the middle sparsity.",
        finished(drawn, "Ratio of active latents under attacks and controls, over the radius.", controls,
                 title=f'{named("quantity", QUANTITIES)} + ": ratio to " + '
                 f'({named("reference", {"clean": "clean images"})} || reference)'),
        ("l0",),
        "l0",
    )  # fmt: skip


def _lines(
    base: alt.Chart, x: alt.X, y: alt.Y, tooltip: list[alt.Tooltip], channels: dict
) -> list[alt.Chart]:
    """Lines of attacks, which differ in colour and shape, and in dashes where colours repeat."""
    shape, dash = channels.pop("shape"), channels.pop("strokeDash")
    spread, line, point, met = curves(base, x, y, tooltip, **channels)
    return [spread, line.encode(strokeDash=dash), point.encode(shape=shape), met]


def _fair(table: pd.DataFrame) -> Chart:
    table = summed_up(table[(table["quantity"] == "l0") & (table["reference"] == "noise")], "ratio")
    keys = list(zip(table["comparison"], table["among"]))
    table = table.assign(compared=[COMPARED.get(key, ("", ""))[0] for key in keys])
    table = table[table["compared"] != ""]
    table = table.rename(
        columns={"ratio_low": "low", "ratio_high": "high", "epsilon": "attacked_at"}
    )
    y = alt.Y("ratio:Q", title="L0, attacked over noise (ratio)", scale=span())
    columns = ["model_architecture", "compared", "ratio", "low", "high", "attacked_at", "success",
               "counted", "sparsity", "networks", "sae_seeds", "images"]  # fmt: skip
    tooltip = tips(
        training="trained at", compared="compared", ratio="ratio#", low="from#", high="to#",
        attacked_at="attack ε#", success="success, share#", counted="images counted#",
        networks="networks#", sae_seeds="SAE seeds#", each="each seed",
    )  # fmt: skip
    return Chart(
        "fair",
        "Do robust networks wake fewer latents? Compared fairly",
        "Attacks on robust networks succeed less. So networks are compared at one ε, at the ε where "
        "half of the images fall, and among images that fell or stood alone.",
        over_training(table, columns, y, tooltip, where(table),
                      "L0 under attack over noise against training ε, at equal ε and equal success.",
                      line=1, color=legend("compared", dict(COMPARED.values()))),
        ("fair",),
        "fair",
    )  # fmt: skip


def _interventions(table: pd.DataFrame) -> Chart:
    names = {name: label.replace("\n", " ") for name, label in SETS.items()}
    table = summed_up(table[table["set"].isin([*names])], "share")
    table = table.assign(latents_of=table["set"].map(names))
    controls = [*where(table), pick("intervention", "latents are", [*INTERVENTIONS], INTERVENTIONS)]
    kept = ["model_architecture", "layer", "type", "intervention", "latents_of", "training", "share",
            "share_low", "share_high", "over_random", "over_random_low", "over_random_high", "latents",
            "counted", "networks", "sae_seeds", "each"]  # fmt: skip
    frame = table[kept].rename(columns={"share_low": "low", "share_high": "high"})
    base = picked(alt.Chart(inline(frame)), *controls)
    words, shades = trainings(table)
    x = alt.X("latents_of:N", title=None, sort=[*names.values()], axis=alt.Axis(labelAngle=0, labelLimit=90,
              labelExpr="split(datum.label, ' ')", labelOverlap=False))  # fmt: skip
    offset = alt.XOffset("training:N", sort=[*dict.fromkeys(words)])
    scale = alt.Scale(domain=[0, 1])
    title = "share of predictions"
    tooltip = tips(
        latents_of="latents", training="trained at", share="share#", low="from#", high="to#",
        over_random="more than random ones#", over_random_low="… from#", over_random_high="… to#",
        latents="latents per image#", counted="images#", networks="networks#", each="each seed",
    )  # fmt: skip
    drawn = [
        base.mark_rule(strokeWidth=1.2).encode(
            x=x, xOffset=offset, color=shades, y=alt.Y("low:Q", title=title, scale=scale), y2="high:Q"
        ),
        base.mark_point(filled=True, size=45, opacity=1).encode(
            x=x, xOffset=offset, color=shades, y=alt.Y("share:Q", title=title, scale=scale), tooltip=tooltip
        ),
    ]  # fmt: skip
    return Chart(
        "interventions",
        "Are woken latents what does the damage?",
        "Put back to their clean values: the share of predictions, broken by the attack, that are right "
        "again. Put into clean images: the share that break. Beside the woken latents stand as many "
        "random ones, as many of the most active, and a step as long beyond the SAE.",
        finished(drawn, "Share of predictions by which latents were put back or put in.", controls),
        ("interventions",),
        "interventions",
    )  # fmt: skip


def _defences(table: pd.DataFrame) -> Chart:
    table = summed_up(table, "adaptive")
    table = table.assign(behind=table["defence"].map({k: v[0] for k, v in DEFENCES.items()}))
    table = table.rename(columns={"adaptive_low": "low", "adaptive_high": "high"})
    controls = where(table)
    controls += menu("sparsity", "k", options(table["sparsity"]))
    hues = dict(zip([label for label, *_ in DEFENCES.values()], ("orange", "grey", "blue")))
    y = alt.Y(
        "adaptive:Q",
        title="accuracy under attack (share)",
        scale=alt.Scale(type="linear", domain=[0, 1]),
    )
    columns = ["model_architecture", "behind", "adaptive", "low", "high", "clean", "transferred", "over_none",
               "over_none_low", "over_none_high", "fvu", "sparsity", "networks", "sae_seeds", "images"]  # fmt: skip
    tooltip = tips(
        training="trained at", behind="behind", adaptive="accuracy#", low="from#", high="to#",
        clean="on clean images#", transferred="attack not told#", over_none="gain over none#",
        over_none_low="… from#", over_none_high="… to#", fvu="FVU#", networks="networks#", images="images#",
        each="each seed",
    )  # fmt: skip
    return Chart(
        "defences",
        "Does leaving small interference out defend?",
        "Accuracy when the layer is replaced by its reconstruction and the attack goes through that "
        "reconstruction; PCA of the same FVU leaves out as much variance.",
        over_training(table, columns, y, tooltip, controls,
                      "Accuracy under attack through reconstructions, against training ε.",
                      color=legend("behind", hues, "behind")),
        ("defences",),
        "defences",
    )  # fmt: skip
