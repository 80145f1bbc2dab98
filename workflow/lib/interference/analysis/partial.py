"""Partial correlations, and what permuted labels leave of them."""

import numpy as np


def without(columns: np.ndarray) -> np.ndarray:
    """The projection on what is orthogonal to columns, which may depend on each other: (n, n).

    columns: (n, k). All NaN where one of the columns lacks a number.
    """
    if np.isnan(columns).any():
        return np.full((len(columns), len(columns)), np.nan)
    return np.eye(len(columns)) - columns @ np.linalg.pinv(columns)


def correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The cosine of x (n,) with each row of y (…, n); NaN where either is 0 but for rounding."""
    lengths = np.linalg.norm(y, axis=1) * np.linalg.norm(x)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(lengths > 1e-9, y @ x / lengths, np.nan)
