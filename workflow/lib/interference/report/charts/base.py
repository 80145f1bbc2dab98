"""What interactive charts share: data, controls, marks and axes, as Vega-Lite has them.

A chart is one view that takes the width of its place. Its colours are variables of the page's style
sheet, so that light, dark and print need no second drawing; `COLOURS` are those of the static figures.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import to_hex

from interference.analysis.figures.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    RED,
    epsilon_text,
)

#: Variable of the style sheet → colour on light ground, on dark ground.
COLOURS = {
    "blue": (BLUE, "#56B4E9"),
    "orange": (ORANGE, "#F0B83F"),
    "red": (RED, "#F0803C"),
    "purple": (PURPLE, "#DDA0C3"),
    "green": (GREEN, "#2FC79B"),
    "grey": (GREY, "#9A9A9A"),
}
#: Shades of networks by training epsilon: as many variables per norm.
SHADES = 11
#: norm → colour map, and its ends on light and on dark ground, smallest epsilon first.
_MAPS = {
    "l2": ("viridis", (0.8, 0.05), (0.45, 0.98)),
    "linf": ("YlOrRd", (0.4, 0.95), (0.75, 0.25)),
}
NORMS = {"clean": "clean", "l2": "L2", "linf": "L∞", "none": "none"}
HEIGHT = 320
#: Significant digits of numbers in a page.
DIGITS = 5

_INK = "currentColor"
CONFIG: dict[str, Any] = {
    "background": None,
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": _INK,
        "titleColor": _INK,
        "tickColor": _INK,
        "domainColor": _INK,
        "gridColor": _INK,
        "gridOpacity": 0.12,
        "labelFontSize": 12,
        "titleFontSize": 12.5,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "labelOverlap": "greedy",
        "tickCount": 6,
    },
    "legend": {
        "labelColor": _INK,
        "titleColor": _INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "orient": "top",
        "columns": 4,
        "labelLimit": 260,
        "symbolOpacity": 1,
    },
    "title": {
        "color": _INK,
        "fontSize": 12.5,
        "fontWeight": "normal",
        "anchor": "start",
        "frame": "group",
        "offset": 8,
    },
    "text": {"color": _INK},
}


@dataclass(frozen=True)
class Chart:
    """An interactive chart of a page.

    name: its anchor, of no other chart.
    title: what it shows.
    caption: how to read it, one paragraph.
    spec: Vega-Lite, as JSON has it.
    tables: names of the tables that it is made of.
    figure: name of the static figure beside it, of the catalogue; empty where there is none.
    """

    name: str
    title: str
    caption: str
    spec: dict
    tables: tuple[str, ...]
    figure: str = ""


def variables() -> dict[str, tuple[str, str]]:
    """Every colour variable of a page: on light ground, on dark ground."""
    shades = {
        f"{norm}-{place}": (
            to_hex(colormaps[name](light[0] + (light[1] - light[0]) * place / (SHADES - 1))),
            to_hex(colormaps[name](dark[0] + (dark[1] - dark[0]) * place / (SHADES - 1))),
        )
        for norm, (name, light, dark) in _MAPS.items()
        for place in range(SHADES)
    }
    return COLOURS | shades


def colour(name: str) -> str:
    """A colour of `variables`, as a chart has it."""
    return f"var(--{name})"


def inline(frame: pd.DataFrame) -> alt.InlineData:
    """The rows of ``frame`` inside the chart, as CSV of `DIGITS` significant digits."""
    numbers = {column for column in frame if pd.api.types.is_numeric_dtype(frame[column])}
    text = frame.to_csv(index=False, float_format=f"%.{DIGITS}g", lineterminator="\n")
    parse = {str(column): "number" if column in numbers else "string" for column in frame}
    return alt.InlineData(values=text, format=alt.CsvDataFormat(type="csv", parse=parse))


def options(values: pd.Series, order: Sequence[str] = ()) -> list:
    """The values that occur, those of ``order`` first and in its order."""
    found = sorted(values.unique().tolist())
    return sorted(found, key=lambda value: order.index(value) if value in order else len(order))


def pick(
    column: str, label: str, values: Sequence, names: Mapping[Any, str] | None = None,
    start: object = None,
) -> alt.Parameter:  # fmt: skip
    """A control that chooses the rows of one value of ``column``, a menu.

    values: what may be chosen, in order, text or whole numbers (others lose digits in `inline`); names:
    how each reads; start: which is chosen first.
    """
    texts = [str((names or {}).get(value, value)) for value in values]
    bind = alt.binding_select(options=[*values], labels=texts, name=label)
    return alt.param(name=column, bind=bind, value=values[0] if start is None else start)


def menu(
    column: str, label: str, values: Sequence, names: Mapping[Any, str] | None = None
) -> list[alt.Parameter]:
    """`pick`, where there is something to choose."""
    return [pick(column, label, values, names)] if len(values) > 1 else []


def picked(chart: alt.Chart, *controls: alt.Parameter) -> alt.Chart:
    """The chart of the rows that the controls choose."""
    for control in controls:
        chart = chart.transform_filter(f"datum[{json.dumps(control.name)}] === {control.name}")
    return chart


def legend(column: str, hues: Mapping[Any, str], title: str | None = None) -> alt.Color:
    """The colours of ``column``, which the legend names in this order. hues: value → of `variables`."""
    scale = alt.Scale(domain=[*hues], range=[colour(hue) for hue in hues.values()])
    return alt.Color(f"{column}:N", title=title, scale=scale)


def tips(**fields: str) -> list[alt.Tooltip]:
    """What hovering shows. fields: column → title; a title that ends in # is of a plain number."""
    return [
        alt.Tooltip(field=field, type="nominal", title=title.removesuffix("#"))
        if not title.endswith("#")
        else alt.Tooltip(field=field, type="quantitative", title=title.removesuffix("#"), format=".4~g")
        for field, title in fields.items()
    ]  # fmt: skip


def curves(
    base: alt.Chart, x: alt.X, y: alt.Y, tooltip: list[alt.Tooltip], *, band: bool = False,
    **channels: Any,
) -> list[alt.Chart]:  # fmt: skip
    """Layers of lines with points through a column and its interval ``low`` to ``high``, as bars or as a band.

    Of an interval that a logarithmic axis has no place for, its end at or below 0, the bar goes to a tenth
    of the value.

    x, y: axes; channels: colour and others, of lines and points alike.
    """
    coloured = {name: value for name, value in channels.items() if name in ("color", "detail")}
    known = base.transform_filter("isValid(datum.low)").transform_calculate(
        end=f"datum.low > 0 || {json.dumps(y['scale']['type'] != 'log')} "
        f"? datum.low : datum.{y['shorthand'].removesuffix(':Q')} / 10"
    )
    spread = known.mark_area(opacity=0.18) if band else known.mark_rule(strokeWidth=1.2)
    low = alt.Y("end:Q", title=y["title"], scale=y["scale"])
    return [
        spread.encode(x=x, y=low, y2="high:Q", **coloured),
        base.mark_line(strokeWidth=1.8).encode(x=x, y=y, **channels),
        base.mark_point(filled=True, size=45, opacity=1).encode(x=x, y=y, **channels),
        # what the pointer meets is larger than what is seen
        base.mark_point(filled=True, size=500, opacity=0).encode(
            x=x, y=y, tooltip=tooltip, **coloured
        ),
    ]


def rule_at(value: float) -> alt.Chart:
    """A thin line at a value of y, such as no effect."""
    data = alt.InlineData(values=[{"at": value}])
    return alt.Chart(data).mark_rule(color=_INK, opacity=0.55, strokeDash=[2, 3]).encode(y="at:Q")


def finished(
    layers: Sequence[alt.Chart], description: str, controls: Sequence[alt.Parameter], *,
    title: str | None = None,
) -> dict:  # fmt: skip
    """The layers as one chart, as JSON.

    description: what a screen reader says of it; title: an expression of Vega, such as the label of what
    a control has chosen.
    """
    whole = alt.layer(*layers).add_params(*controls).properties(
        width="container", height=HEIGHT, description=description,
        autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
    )  # fmt: skip
    if title is not None:
        whole = whole.properties(title=alt.TitleParams(text=alt.ExprRef(title)))
    return {**whole.to_dict(), "config": CONFIG}


def named(control: str, names: Mapping[str, str]) -> str:
    """An expression of Vega: the name of what a control has chosen."""
    return f"{json.dumps(names, ensure_ascii=False)}[{control}]"


def span(
    kind: Literal["linear", "log", "symlog"] = "linear", **options: Any
) -> alt.Scale:  # fmt: skip
    """A scale as wide as its values, with room at both ends for marks."""
    if kind == "linear":
        options["zero"] = False
    return alt.Scale(type=kind, nice=False, padding=12, **options)


def epsilon_axis(radii: Mapping[str, Sequence[float]], what: str) -> alt.X:
    """The x axis of a radius: a tick at each, logarithmic above the smallest where those of a norm span
    more than a factor of ten.

    radii: of each norm, ascending; of several a control ``norm`` chooses. what: whose radius, such as
        training.
    """
    texts: dict[str, str] = {}
    smallest = []
    for norm, epsilons in radii.items():
        texts |= {f"{epsilon:.4g}": epsilon_text(norm, epsilon) for epsilon in epsilons}
        positive = [epsilon for epsilon in epsilons if epsilon > 0]
        if positive and positive[-1] > 10 * positive[0]:
            smallest.append(positive[0])
    scale = span("symlog", constant=min(smallest)) if smallest else span()
    one = len(radii) == 1
    values = next(iter(radii.values())) if one else alt.ExprRef(f"{json.dumps(radii)}[norm]")
    label = f"{json.dumps(texts)}[format(datum.value, '.4~g')] || datum.label"
    norms = f"{NORMS[next(iter(radii))]}, " if one else ""
    title = f"{what} ε ({norms}pixels in [0, 1])"
    return alt.X(
        "epsilon:Q", title=title, axis=alt.Axis(values=values, labelExpr=label), scale=scale
    )  # fmt: skip


def trainings(table: pd.DataFrame) -> tuple[pd.Series, alt.Color]:
    """Of each row how its network was trained, in words, and the colours of all kinds of training."""
    kinds = table[["model_norm", "model_epsilon"]].drop_duplicates()
    kinds = kinds.sort_values(["model_norm", "model_epsilon"], kind="stable")
    named, hues = {}, {}
    for norm in ("l2", "linf"):
        of = kinds[kinds["model_norm"].isin(["clean", norm] if norm == "l2" else [norm])]
        pairs = zip(of["model_norm"].tolist(), of["model_epsilon"].tolist())
        for place, (kind, epsilon) in enumerate(pairs):
            name = "clean" if epsilon == 0 else f"{NORMS[norm]} {epsilon_text(norm, epsilon)}"
            named[kind, epsilon] = name
            shade = round(np.linspace(0, SHADES - 1, max(len(of), 2))[place])
            hues[name] = f"{norm}-{shade}"
    words = pd.Series(
        [named[key] for key in zip(table["model_norm"], table["model_epsilon"])], table.index, str
    )
    return words, legend("training", hues, "trained at")
