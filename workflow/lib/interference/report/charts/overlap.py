"""The chart of attacks between MLPs, over how alike two networks are."""

import altair as alt
import pandas as pd

from interference.analysis.figures.overlap import LIKENESS, points
from interference.report.charts.base import (
    Chart,
    finished,
    inline,
    legend,
    pick,
    picked,
    span,
    tips,
)
from interference.report.charts.perturbations import PAIRS


def overlap(table: pd.DataFrame) -> Chart:
    """Return it. table: overlap, with networks that still tell classes apart."""
    shown = points(table)
    frame = pd.concat(
        [shown.assign(what=name, likeness=shown[column]) for column, name in LIKENESS.items()],
        ignore_index=True,
    )
    frame["kind"] = frame["alike"].map({True: "trained alike", False: "others"})
    frame = frame[["what", "kind", "one", "other", "pairs", "likeness", "success"]]
    controls = [pick("what", "likeness", [*LIKENESS.values()])]
    base = picked(alt.Chart(inline(frame)), *controls)
    x = alt.X("likeness:Q", title="how alike the two are", scale=span())
    y = alt.Y("success:Q", title="images that fall (share)", scale=span())
    tooltip = tips(one="one", other="other", likeness="likeness#", success="share that falls#",
                   pairs="ordered pairs#")  # fmt: skip
    drawn = base.mark_point(filled=True, size=45, opacity=1).encode(
        x=x, y=y, color=legend("kind", PAIRS), tooltip=tooltip
    )
    return Chart(
        "overlap",
        "Do attacks pass between MLPs whose SAE dictionaries overlap?",
        "Of the images that both networks have right when clean, the share that one mistakes under attacks found "
        "on the other, over how alike the two are: by CKA of hidden units; by how SAE latents that were matched "
        "on other images correlate; by whether dictionary vectors of matched latents lie to each other as in the "
        "other network. Where both were trained alike a point is two networks, else the mean over seeds of two "
        "kinds of networks. Only networks that still tell classes apart.",
        finished([drawn], "Success of attacks between MLPs over the likeness of the two.", controls),
        ("overlap",),
        "overlap",
    )  # fmt: skip
