"""Charts of what the preprint's Table 1 says of perturbations: how small, what they look like, to whom they
pass."""

from collections.abc import Iterator, Mapping

import altair as alt
import pandas as pd

from interference.analysis.figures.style import layers
from interference.report.charts.base import (
    Chart,
    colour,
    finished,
    inline,
    legend,
    menu,
    options,
    pick,
    picked,
    span,
    tips,
)
from interference.report.charts.networks import over_training, summed_up

RADIUS = "least change that flips (L2, pixels in [0, 1])"
#: measure of the table structure → what it is, with its unit
MEASURES = {
    "centroid": "mean frequency (of Nyquist’s)",
    "coherence": "correlation of neighbouring pixels",
}
#: reference of the table structure → what it is, its colour
REFERENCES = {
    "perturbation": ("perturbation", "blue"),
    "noise": ("noise of its norm", "grey"),
    "step": ("one step along the gradient", "orange"),
    "gradient": ("gradient", "green"),
}
PAIRS = {"trained alike": "blue", "others": "grey"}


def charts(tables: Mapping[str, pd.DataFrame]) -> Iterator[Chart]:
    """Yield the charts of those tables that there are."""
    for name, draw in {"least": _least, "structure": _structure, "exchange": _exchange}.items():
        if name in tables and len(tables[name]):
            yield draw(tables[name])


def _architecture(table: pd.DataFrame) -> list[alt.Parameter]:
    return menu("model_architecture", "architecture", options(table["model_architecture"]))


def _least(table: pd.DataFrame) -> Chart:
    names = {"radius": "value", "radius_low": "low", "radius_high": "high"}
    table = summed_up(table, "radius").rename(columns=names)
    y = alt.Y("value:Q", title=RADIUS, scale=span("log"))
    tooltip = tips(training="trained at", value="median#", low="from#", high="to#", networks="networks#",
                   each="each seed")  # fmt: skip
    return Chart(
        "least",
        "How small a change flips a prediction?",
        "The least L2 change that was found of each image, median over images, over the training epsilon of "
        "the network. Bars are intervals over images, and over networks where there are several.",
        over_training(table, ["value", "low", "high", "networks"], y, tooltip, _architecture(table),
                      "Least change that flips a prediction, over the training epsilon.",
                      color=alt.value(colour("blue"))),
        ("least",),
        "least",
    )  # fmt: skip


def _structure(table: pd.DataFrame) -> Chart:
    table = table[table["measure"].isin([*MEASURES])]
    ends = ("", "_low", "_high")
    # of every reference the same perturbations
    own = table[table["reference"] == "noise"].assign(reference="perturbation")
    parts = [
        rows.assign(
            **{name: rows[f"{column}{end}"] for name, end in zip(("value", "low", "high"), ends)}
        )
        for rows, column in (
            (summed_up(own, "perturbation"), "perturbation"),
            (summed_up(table, "other"), "other"),
        )
    ]
    frame = pd.concat(parts).assign(quantity=lambda rows: rows["measure"].map(MEASURES))
    frame["what"] = frame["reference"].map({key: name for key, (name, _) in REFERENCES.items()})
    y = alt.Y("value:Q", title=None, scale=span())
    tooltip = tips(what="what", training="trained at", value="mean#", low="from#", high="to#",
                   networks="networks#", each="each seed")  # fmt: skip
    controls = [*_architecture(frame), pick("quantity", "measure", [*MEASURES.values()])]
    hues = dict(REFERENCES.values())
    return Chart(
        "structure",
        "Do perturbations look like noise?",
        "What perturbations look like, over the training epsilon of the network; beside noise and one step "
        "along the input gradient, both with each perturbation’s own norm, and that gradient. Bars are "
        "intervals over images, and over networks where there are several.",
        over_training(frame, ["what", "value", "low", "high", "networks"], y, tooltip, controls,
                      "Mean frequency and coherence of perturbations, over the training epsilon.",
                      color=legend("what", hues)),
        ("structure",),
        "structure",
    )  # fmt: skip


def _exchange(table: pd.DataFrame) -> Chart:
    what = table["alike"].map({True: "trained alike", False: "others"})
    columns = ["source", "target", "layer", "cka", "success", "success_low", "success_high"]
    frame = table.assign(what=what)[[*columns, "what"]]
    controls = menu("layer", "layer", layers(table))
    base = picked(alt.Chart(inline(frame)), *controls)
    x = alt.X("cka:Q", title="CKA on clean images", scale=span())
    y = alt.Y("success:Q", title="images that fall (share)", scale=span())
    tooltip = tips(source="found on", target="shown to", cka="CKA#", success="share#",
                   success_low="from#", success_high="to#")  # fmt: skip
    colours = legend("what", PAIRS)
    drawn = [
        base.mark_rule(opacity=0.4).encode(
            x=x,
            y=alt.Y("success_low:Q", title=y["title"], scale=y["scale"]),
            y2="success_high:Q",
            color=colours,
        ),
        base.mark_point(filled=True, size=45, opacity=1).encode(
            x=x, y=y, color=colours, tooltip=tooltip
        ),
    ]
    return Chart(
        "exchange",
        "Do attacks pass to networks of like geometry?",
        "Of the images that both networks have right when clean, the share that the target mistakes under "
        "attacks found on the source, over how alike the two are at a layer (linear CKA); a point per pair. "
        "Bars are Wilson’s intervals over images.",
        finished(drawn, "Success of transferred attacks over the similarity of networks.", controls),
        ("exchange",),
        "exchange",
    )  # fmt: skip
