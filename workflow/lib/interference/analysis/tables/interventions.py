"""Predictions that return where woken latents are put back, and that break where they are put in.

The question is not whether moving activations by so much changes predictions, but whether woken latents
change more of them than as many other latents do, or as long a step along what the SAE leaves
unexplained. Intervals are paired bootstraps over images.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from interference.analysis.frames import MEMBER, read_frames
from interference.analysis.statistics import Bootstrap

#: Sets of latents, or steps, that woken latents are compared with.
CONTROLS = ("random", "top", "error")


def build(spec: dict, outcomes: Sequence[Path]) -> pd.DataFrame:
    """One row per (member, intervention, set).

    images: those that count: of restore right clean and wrong under attack, of insert right clean.
    share, share_low, share_high: predictions that return to right, or break, over these.
    over_random, over_top, over_error, with intervals: that share less the control's.
    latents, moved, next_woken: means over these images; next_share: next_woken over that of no
        intervention in the attacked network.

    outcomes: tables, one row per (member, intervention, set, image).
    """
    frame = read_frames(outcomes)
    bootstrap = Bootstrap.over(frame, spec)
    rows = []
    for key, part in frame.groupby(MEMBER, sort=True):
        right = _wide(part.assign(right=part["prediction"] == part["label"]), "right")
        clean = right["insert", "none"]
        fell = clean & ~right["restore", "none"]
        means = {name: _wide(part, name) for name in ("latents", "moved", "next_woken")}
        shares = {
            (intervention, name): _share(bootstrap, right[intervention, name] == returns, counted)
            for intervention, counted, returns in (
                ("restore", fell, True),
                ("insert", clean, False),
            )
            for name in right[intervention].columns
        }
        for (intervention, name), share in shares.items():
            counted = fell if intervention == "restore" else clean
            row = dict(zip(MEMBER, key, strict=True))
            row |= {"intervention": intervention, "set": name, "images": int(counted.sum())}
            row |= bootstrap.columns("share", share)
            for control in CONTROLS:
                over = share - shares[intervention, control]
                row |= bootstrap.columns(f"over_{control}", over)
            own = {n: _mean(wide[intervention, name], counted) for n, wide in means.items()}
            attacked = _mean(means["next_woken"]["restore", "none"], counted)
            own["next_share"] = own["next_woken"] / attacked if attacked > 0 else np.nan
            rows.append(row | own)
    return pd.DataFrame(rows)


def _wide(part: pd.DataFrame, name: str) -> pd.DataFrame:
    """A column as a table, a row per image, a column per (intervention, set)."""
    return part.pivot_table(
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
