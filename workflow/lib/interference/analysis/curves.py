"""Sparsity curves: members of a sweep, their L0 and FVU under bootstrap draws, matched in L0."""

import numpy as np
import pandas as pd

from interference.analysis.frames import MEMBER


def member_draws(frame: pd.DataFrame, weights: np.ndarray) -> pd.DataFrame:
    """One row a member: columns fvu and l0, each an array (draws,).

    frame: one row a (member, image) with squared_error, deviation and l0.
    weights: (draws, images); a first row of equal weights gives the estimate itself.
    """
    rows = []
    for key, part in frame.groupby(MEMBER, sort=True):
        part = part.sort_values("image")
        error, deviation = weights @ part["squared_error"], weights @ part["deviation"]
        draws = {"fvu": error / deviation, "l0": weights @ part["l0"].to_numpy()}
        rows.append(dict(zip(MEMBER, key, strict=True)) | draws)
    return pd.DataFrame(rows)


def interpolate(l0: np.ndarray, fvu: np.ndarray, target: float) -> np.ndarray:
    """FVU at L0 = target, linear in log L0, draw by draw. l0, fvu: (members, draws) → (draws,)."""
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


def common_l0(curves: list[np.ndarray]) -> float | None:
    """The geometric middle of the L0 range that all curves cover, or None where there is none."""
    low = max(curve[curve > 0].min(initial=np.inf) for curve in curves)
    high = min(curve.max() for curve in curves)
    return float(np.sqrt(low * high)) if low < high else None
