"""Predictions that return where woken latents are put back, and that break where they are put in.

The question is not whether moving activations by so much changes predictions, but whether woken latents
change more of them than as many other latents do, or as long a step along what the SAE leaves
unexplained. Intervals are paired: one draw of images serves a set and its control.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.frames import MEMBER, read_frames
from interference.analysis.statistics import TRAINING, Bootstrap

#: Sets of latents, or steps, that others are compared with.
CONTROLS = ("random", "top", "error")


def build(spec: dict, outcomes: Sequence[Path]) -> pd.DataFrame:
    """One row per (member, intervention, set), and per kind of several trainings.

    counted: images that count: of restore right clean and wrong under attack, of insert right clean.
    share: of these predictions those that return to right, or break, with its interval.
    over_random, over_top, over_error, with intervals: that share less the control's.
    latents, moved, next_woken: means over these images; next_share: next_woken over that of no
        intervention in the attacked network.

    outcomes: tables, one row per (member, intervention, set, image).
    """
    frame = read_frames(outcomes)
    bootstrap, tables = Bootstrap.over(frame, spec), []
    for _, kind in frame.groupby([name for name in MEMBER if name not in TRAINING]):
        rows = [
            {**dict(zip(MEMBER, key, strict=True)), **row}
            for key, member in kind.groupby(MEMBER)
            for row in _rows(bootstrap, member)
        ]
        tables.append(
            bootstrap.table(
                pd.DataFrame(rows),
                natural=["share", *(f"over_{control}" for control in CONTROLS)],
                means=["counted", "latents", "moved", "next_woken", "next_share"],
            )
        )
    return pd.concat(tables, ignore_index=True)


def _rows(bootstrap: Bootstrap, member: pd.DataFrame) -> Iterator[dict]:
    """Every intervention and set of one SAE, shares and what they exceed as draws."""
    right = _wide(member.assign(right=member["prediction"] == member["label"]), "right")
    means = {name: _wide(member, name) for name in ("latents", "moved", "next_woken")}
    clean = right["insert", "none"]
    kinds = {"restore": (clean & ~right["restore", "none"], True), "insert": (clean, False)}
    for intervention, (counted, returns) in kinds.items():
        shares = {
            name: _share(bootstrap, right[intervention, name] == returns, counted)
            for name in right[intervention].columns
        }
        attacked = _mean(means["next_woken"]["restore", "none"], counted)
        for name, share in shares.items():
            own = {n: _mean(wide[intervention, name], counted) for n, wide in means.items()}
            yield {
                "intervention": intervention,
                "set": name,
                "share": share,
                **{f"over_{control}": share - shares[control] for control in CONTROLS},
                "counted": float(counted.sum()),
                **own,
                "next_share": own["next_woken"] / attacked if attacked > 0 else np.nan,
            }


def _wide(member: pd.DataFrame, name: str) -> pd.DataFrame:
    """A column as a table, a row per image, a column per (intervention, set)."""
    return member.pivot_table(
        index="image", columns=["intervention", "set"], values=name, aggfunc="first", dropna=False
    )


def _mean(values: pd.Series, counted: pd.Series) -> float:
    """The mean over counted images; NaN where there are none."""
    return float(values[counted].mean())


def _share(bootstrap: Bootstrap, event: pd.Series, counted: pd.Series) -> np.ndarray:
    """Draws of the share of counted images on which an event is; NaN where a draw has none."""
    of = bootstrap.weights @ counted.to_numpy(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (bootstrap.weights @ (event & counted).to_numpy(float)) / of
