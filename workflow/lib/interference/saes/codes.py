"""From a sparse code to what the gradients of its parameters are made of."""

import numpy as np

from interference.saes.kernels import by_latent
from interference.saes.sparse import errors_and_slopes


def errors(
    x: np.ndarray, index: np.ndarray, value: np.ndarray, ends: np.ndarray, w_dec: np.ndarray,
    b_dec: np.ndarray, scale: float,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """g: (prefixes, n, d) and slope: (n, k) of `errors_and_slopes`."""
    g, slope = np.empty((len(ends), *x.shape), x.dtype), np.empty_like(value)
    errors_and_slopes(x, index, value, ends, w_dec, b_dec, x.dtype.type(scale), g, slope)
    return g, slope


def ordered(index: np.ndarray, value: np.ndarray, slope: np.ndarray, latents: int) -> tuple:
    """start, row, values, slopes of `by_latent`."""
    start, row = np.empty(latents + 1, np.int64), np.empty(index.size, np.int32)
    code = (start, row, *np.empty((2, index.size), value.dtype))
    by_latent(index, value, slope, *code)
    return code
