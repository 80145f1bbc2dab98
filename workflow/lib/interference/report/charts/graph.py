"""The features of toy models as a graph that is followed over density, clean beside adversarial training.

A node is a learned feature, an edge an overlap; positions are those of the static figures. At the
density of the attacked input nodes say whether they are in it, and which outputs the attack moves.
"""

from collections.abc import Iterator, Mapping

import altair as alt
import numpy as np
import pandas as pd

from interference.analysis.figures.layout import layout
from interference.analysis.figures.overlaps import LINKED, TITLES, overlaps
from interference.analysis.figures.toy_geometry import MOVED
from interference.report.charts.base import (
    Chart,
    colour,
    finished,
    inline,
    legend,
    pick,
    picked,
    tips,
)

#: Width of a training's panel and the gap between two, in the unit of x; height of both is 1.
WIDTH, GAP = 1.0, 0.12
ROLES = {"in the input": "blue", "not in the input": "grey", "no input shown": "green"}


def charts(tables: Mapping[str, pd.DataFrame]) -> Iterator[Chart]:
    """Yield the graph, if there are pairs of features and an example of an attack."""
    if "pairs" in tables and "example" in tables:
        yield _graph(tables["pairs"], tables["example"])


def drawn(pairs: pd.DataFrame, example: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Nodes, one row per (training, density, learned feature), and edges, one per linked pair.

    pairs: toy/geometry; example: toy/geometry.example, one row per (training, feature).
    """
    nodes, edges = [], []
    attacked_at = float(example["density"].iloc[0])
    for place, training in enumerate(TITLES):
        rows = example[example["training"] == training].sort_values("feature")
        change = (rows["output_attacked"] - rows["output_clean"]).to_numpy()
        moved = np.isin(np.arange(len(rows)), np.abs(change).argsort(kind="stable")[-MOVED:])
        active = (rows["input_clean"] > 0).to_numpy()
        for density in sorted(pairs["density"].unique(), reverse=True):
            model = overlaps(pairs, training, density)
            points, component = layout(model.linked)
            x, y = _within(points, place)
            features = np.flatnonzero(model.learned)
            at = {"training": training, "density": f"{density:.3g}"}
            here = density == attacked_at
            gram = model.gram[np.ix_(model.learned, model.learned)]
            nodes.append(pd.DataFrame({
                **at, "feature": features, "x": x, "y": y, "component": component,
                "norm2": np.diag(gram), "links": model.linked.sum(1),
                "role": np.where(active[features], "in the input", "not in the input") if here
                        else "no input shown",
                "change": change[features] if here else np.nan,
                "moved": (moved[features] & here).astype(int),
            }))  # fmt: skip
            a, b = np.nonzero(np.triu(model.linked))
            edges.append(pd.DataFrame({
                **at, "x": x[a], "y": y[a], "x2": x[b], "y2": y[b], "a": features[a], "b": features[b],
                "overlap": gram[a, b], "weight": (gram[a, b] ** 2).clip(0.25, 1),
            }))  # fmt: skip
    return pd.concat(nodes, ignore_index=True), pd.concat(edges, ignore_index=True)


def _within(points: np.ndarray, place: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions (k, 2) scaled into the panel at a place, as x and y, each (k,)."""
    low, high = points.min(0), points.max(0)
    scale = max(*(high - low), 1e-9)
    centred = (points - (low + high) / 2) / scale
    return centred[:, 0] + 0.5 + place * (WIDTH + GAP), centred[:, 1] + 0.5


def _graph(pairs: pd.DataFrame, example: pd.DataFrame) -> Chart:
    nodes, edges = drawn(pairs, example)
    densities = [f"{value:.3g}" for value in sorted(pairs["density"].unique(), reverse=True)]
    attacked_at = f"{example['density'].iloc[0]:.3g}"
    density = pick("density", "density p", densities, start=attacked_at)
    top = int(nodes["feature"].max())
    followed = alt.param(
        name="followed", value=0,
        bind=alt.binding_range(min=0, max=top, step=1, name="follow feature"),
    )  # fmt: skip
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[-0.04, 2 * WIDTH + GAP + 0.04]))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[-0.04, 1.1]))
    link = picked(alt.Chart(inline(edges)), density).mark_rule(color="currentColor").encode(
        x=x, y=y, x2="x2:Q", y2="y2:Q",
        opacity=alt.Opacity("weight:Q", scale=None, legend=None),
        tooltip=tips(a="feature", b="and feature", overlap="overlap Wᵢ · Wⱼ#"),
    )  # fmt: skip
    base = picked(alt.Chart(inline(nodes)), density)
    node = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=x, y=y, color=legend("role", ROLES),
        tooltip=tips(feature="feature", norm2="‖Wᵢ‖²#", links="links#", change="output moved by the attack#"),
    )  # fmt: skip
    ring = base.transform_filter("datum.moved").mark_point(
        size=190, strokeWidth=2, color=colour("orange")
    ).encode(x=x, y=y)  # fmt: skip
    mark = base.transform_filter("datum.feature === followed").mark_point(
        size=330, strokeWidth=2, shape="square", color=colour("red")
    ).encode(x=x, y=y)  # fmt: skip
    names = pd.DataFrame({
        "x": [0.5 + place * (WIDTH + GAP) for place in range(len(TITLES))], "y": 1.08,
        "title": [*TITLES.values()],
    })  # fmt: skip
    title = alt.Chart(inline(names)).mark_text(fontSize=13).encode(x=x, y=y, text="title:N")
    spec = finished(
        [link, node, ring, mark, title],
        "Graphs of learned features at a chosen density: clean training left, adversarial right.",
        [density, followed],
    )
    return Chart(
        "toy-graph",
        "Features as a graph, followed over density",
        f"Learned features (dots) are linked where their squared overlap is above {LINKED}: pairs are "
        f"antipodal, polygons share two dimensions. At density {attacked_at} one input is attacked: "
        f"features in it are blue, and orange rings mark the {MOVED} outputs that the attack moves "
        "most. A red square follows one feature, if it is learned.",
        {**spec, "height": 420},
        (),
        "toy_geometry",
    )
