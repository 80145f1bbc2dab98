"""Loops over samples that numba vectorises by itself, each small enough for that: a sample per column.

Matrices are (M, B), or wider where only their first B columns count; rows are (B,).
"""

import numpy as np

from interference.kernels.compile import fast_inner

#: Norm of a gradient below which it is taken for zero; the perturbation then vanishes with it.
TINY = 1e-12


@fast_inner
def over_norms(a, b, lengths, out):
    """out = lengths / √(Σ_j a_j b_j)."""
    zero, tiny = out.dtype.type(0), out.dtype.type(TINY)
    out[:] = zero
    for j in range(a.shape[0]):
        for t in range(out.shape[0]):
            out[t] += a[j, t] * b[j, t]
    for t in range(out.shape[0]):
        out[t] = lengths[t] / max(np.sqrt(max(out[t], zero)), tiny)


@fast_inner
def add(a, target):
    """target += a, where a is."""
    for j in range(a.shape[0]):
        for t in range(a.shape[1]):
            target[j, t] += a[j, t]


@fast_inner
def scale_all(target, factor):
    """target *= factor."""
    for j in range(target.shape[0]):
        for t in range(target.shape[1]):
            target[j, t] *= factor


@fast_inner
def add_scaled(a, factors, target):
    """target += a · factors, a factor a column."""
    for j in range(a.shape[0]):
        for t in range(factors.shape[0]):
            target[j, t] += a[j, t] * factors[t]


@fast_inner
def scale(target, factors):
    """target *= factors, a factor a column."""
    for j in range(target.shape[0]):
        for t in range(factors.shape[0]):
            target[j, t] *= factors[t]


@fast_inner
def add_squared_errors(x, preactivations, bias, push, radius, sums):
    """sums += (ReLU(preactivations + bias + push · radius) − x)², all of them rows."""
    zero = sums.dtype.type(0)
    for t in range(sums.shape[0]):
        error = max(preactivations[t] + bias + push * radius[t], zero) - x[t]
        sums[t] += error * error
