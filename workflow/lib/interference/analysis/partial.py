"""Partial correlations, and what permuted labels leave of them."""

import numpy as np

#: Share of a vector's length below which what is left of it is rounding.
ROUNDING = 1e-9


def without(columns: np.ndarray, values: np.ndarray) -> np.ndarray:
    """What the columns, which may depend on each other, leave of values by least squares: (…, n).

    columns: (n, k); values: (…, n). 0 where only rounding is left; all NaN where one of the columns lacks a
    number.
    """
    if np.isnan(columns).any():
        return np.full_like(values, np.nan)
    left = values - (values @ columns) @ np.linalg.pinv(columns)
    before, after = (np.linalg.norm(each, axis=-1, keepdims=True) for each in (values, left))
    return np.where(after <= ROUNDING * before, 0, left)


def correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The cosine of x (n,) with each row of y (…, n); NaN where either is 0."""
    lengths = np.linalg.norm(y, axis=1) * np.linalg.norm(x)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(lengths > 0, y @ x / lengths, np.nan)
