"""Sparse codes: their entries, errors of what they decode to, and gradients, latent by latent.

A code of n rows with at most k active latents each is index: (n, k) int32 and value: (n, k), active
latents first and ascending; places left have value 0. Put in the order of latents (`ordered`), the
gradient of a latent is made once, in registers.
"""

import numpy as np

from interference.kernels.compile import cached, inner
from interference.kernels.gathered import combined, dotted


@cached
def rows_above(pre, bar):
    """The code of the entries of each row above their column's bar: index and value, (n, m).

    pre: (n, h); bar: (h,), none negative. m is the most that one row has.
    """
    most = 0
    for r in range(pre.shape[0]):
        count = 0
        for i in range(pre.shape[1]):
            count += pre[r, i] > bar[i]
        most = max(most, count)
    index = np.zeros((pre.shape[0], most), np.int32)
    value = np.zeros((pre.shape[0], most), pre.dtype)
    for r in range(pre.shape[0]):
        count = 0
        for i in range(pre.shape[1]):
            if pre[r, i] > bar[i]:
                index[r, count] = i
                value[r, count] = pre[r, i]
                count += 1
    return index, value


def errors(
    x: np.ndarray, index: np.ndarray, value: np.ndarray, ends: np.ndarray, w_dec: np.ndarray,
    b_dec: np.ndarray, scale: float,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Gradients at the reconstructions of nested prefixes of the latents, and at the code.

    Prefix q is of the latents below ends[q]; the last is of them all. x: (n, d). With x̂_q the
    reconstruction of a prefix, g: (prefixes, n, d) has g[q] = scale · Σ_{p ≥ q} (x̂_p − x), and
    slope: (n, k) has g[q, r] · w_dec[i] of each active latent i, q the first prefix that holds it.
    """
    g, slope = np.empty((len(ends), *x.shape), x.dtype), np.empty_like(value)
    _errors(x, index, value, ends, w_dec, b_dec, x.dtype.type(scale), g, slope)
    return g, slope


@cached
def _errors(x, index, value, ends, w_dec, b_dec, scale, g, slope):
    k, prefixes = index.shape[1], len(ends)
    places, values, slopes = index.reshape(-1), value.reshape(-1), slope.reshape(-1)
    bounds = np.empty(prefixes + 1, np.int64)
    part, whole = np.empty_like(b_dec), np.empty_like(b_dec)
    for r in range(x.shape[0]):
        stop = r * k
        while stop < r * k + k and values[stop] > 0:
            stop += 1
        bounds[0] = r * k
        whole[:] = b_dec
        for q in range(prefixes):
            end = bounds[q] if q + 1 < prefixes else stop
            while end < stop and places[end] < ends[q]:
                end += 1
            bounds[q + 1] = end
            combined(places, values, bounds[q], end, w_dec, part)
            for c in range(x.shape[1]):
                whole[c] += part[c]
                g[q, r, c] = scale * (whole[c] - x[r, c])
        for q in range(prefixes - 1, -1, -1):
            if q + 1 < prefixes:
                for c in range(x.shape[1]):
                    g[q, r, c] += g[q + 1, r, c]
            dotted(places, g[q], r, w_dec, bounds[q], bounds[q + 1], slopes)


def ordered(index: np.ndarray, value: np.ndarray, slope: np.ndarray, latents: int) -> tuple:
    """The active entries in the order of latents, of one latent in the order of rows.

    Returns start: (h + 1,), where each latent's begin; row, value, slope: (n k,), what they hold.
    """
    start, row = np.empty(latents + 1, np.int64), np.empty(index.size, np.int32)
    code = (start, row, *np.empty((2, index.size), value.dtype))
    _order(index, value, slope, *code)
    return code


@cached
def _order(index, value, slope, start, row, values, slopes):
    start[:] = 0
    n, k = index.shape
    for r in range(n):
        for j in range(k):
            if value[r, j] > 0:
                start[index[r, j] + 1] += 1
    for i in range(1, start.shape[0]):
        start[i] += start[i - 1]
    place = start.copy()
    for r in range(n):
        for j in range(k):
            if value[r, j] > 0:
                at = place[index[r, j]]
                place[index[r, j]] += 1
                row[at] = r
                values[at] = value[r, j]
                slopes[at] = slope[r, j]


@inner
def latent_gradient(x, g, code, i, dec, enc):
    """dec = Σ_r f·g[r] and enc = Σ_r s·x[r] over the rows in which latent i is active.

    code: of `ordered`. Returns Σ_r s, the bias's gradient.
    """
    start, row, values, slopes = code
    begin, end = start[i], start[i + 1]
    combined(row, values, begin, end, g, dec)
    combined(row, slopes, begin, end, x, enc)
    total = slopes.dtype.type(0)
    for j in range(begin, end):
        total += slopes[j]
    return total


@cached
def gradient_latents(x, g, code, ends, g_dec, g_enc, g_bias):
    """The gradients of a sparse code. x: (n, d) the encoder's input; code: of `ordered`; ends and
    g: (prefixes, n, d), as in `errors`. Writes g_dec, g_enc: (h, d) and g_bias: (h,)."""
    first = 0
    for q in range(len(ends)):
        for i in range(first, ends[q]):
            g_bias[i] = latent_gradient(x, g[q], code, i, g_dec[i], g_enc[i])
        first = ends[q]
