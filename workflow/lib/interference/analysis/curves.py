"""Curves of FVU over L0: members of a sweep under bootstrap draws, and the L0 that curves share."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from interference.analysis.frames import MEMBER


def member_draws(frame: pd.DataFrame, weights: np.ndarray) -> pd.DataFrame:
    """One row per member: the columns of MEMBER, and fvu and l0, each an array (draws,) float64.

    frame: one row per (member, image) with squared_error, deviation and l0 (latents per row).
    weights: of each image in each draw, (draws, images) float64, rows sum to 1.
    """
    rows = []
    for key, part in frame.groupby(MEMBER, sort=True):
        part = part.sort_values("image")
        error, deviation = weights @ part["squared_error"], weights @ part["deviation"]
        draws = {"fvu": error / deviation, "l0": weights @ part["l0"].to_numpy()}
        rows.append(dict(zip(MEMBER, key, strict=True)) | draws)
    return pd.DataFrame(rows)


def interpolate(l0: np.ndarray, fvu: np.ndarray, target: float) -> np.ndarray:
    """FVU at one L0, linear in log L0, draw by draw: (draws,) float64.

    l0, fvu: of each member in each draw, (members, draws) float64, at least two members; beyond the
        outermost members their line goes on.
    target: latents per row.
    """
    order = l0.argsort(0)
    with np.errstate(divide="ignore"):  # a member without active latents
        x = np.log(np.take_along_axis(l0, order, 0))
    y = np.take_along_axis(fvu, order, 0)
    t = np.log(target)
    right = np.clip((x < t).sum(0), 1, len(x) - 1)
    columns = np.arange(x.shape[1])
    x0, x1 = x[right - 1, columns], x[right, columns]
    y0, y1 = y[right - 1, columns], y[right, columns]
    return y0 + (y1 - y0) * (t - x0) / (x1 - x0)


def common_l0(curves: Sequence[np.ndarray]) -> float | None:
    """The geometric middle of the L0 range that all curves cover; None where they cover none.

    curves: of each curve the L0 of its members, (members,) float64.
    """
    low = max(curve[curve > 0].min(initial=np.inf) for curve in curves)
    high = min(curve.max() for curve in curves)
    return float(np.sqrt(low * high)) if low < high else None
