"""Loops over the samples of one row: numba vectorises them only as functions of their own.

Every argument is a row (batch,) or a number, and the last row is written.
"""

import numba
import numpy as np

from interference.toy.tiles import OPTIONS

#: Norm of a gradient below which it is taken for zero; the perturbation then vanishes with it.
TINY = 1e-12

_jit = numba.njit(**OPTIONS)


@_jit
def input_row(draws, minus_inverse_density, row, squares):
    one, zero = row.dtype.type(1), row.dtype.type(0)
    for t in range(draws.shape[0]):
        value = max(one + minus_inverse_density * draws[t], zero)
        row[t] = value
        squares[t] += value * value


@_jit
def error_row(x, row, bias):
    """Turns Wᵀ h into e = (x' − x) · [x' > 0]; returns its sum."""
    zero = row.dtype.type(0)
    total = zero
    for t in range(row.shape[0]):
        output = row[t] + bias
        error = output - x[t] if output > zero else zero
        row[t] = error
        total += error
    return total


@_jit
def add_squared_error(x, row, bias, push, radius, sums):
    zero = row.dtype.type(0)
    for t in range(row.shape[0]):
        error = max(row[t] + bias + push * radius[t], zero) - x[t]
        sums[t] += error * error


@_jit
def copy_scaled(source, factor, target):
    for t in range(source.shape[0]):
        target[t] = factor * source[t]


@_jit
def add_scaled(source, factor, target):
    for t in range(source.shape[0]):
        target[t] += factor * source[t]


@_jit
def add(a, b, target):
    for t in range(a.shape[0]):
        target[t] = a[t] + b[t]


@_jit
def add_products(a, b, target):
    for t in range(a.shape[0]):
        target[t] += a[t] * b[t]


@_jit
def multiply_by(factors, target):
    for t in range(factors.shape[0]):
        target[t] *= factors[t]


@_jit
def over_norm(lengths, squares):
    """lengths / √squares into squares."""
    zero, tiny = squares.dtype.type(0), squares.dtype.type(TINY)
    for t in range(squares.shape[0]):
        squares[t] = lengths[t] / max(np.sqrt(max(squares[t], zero)), tiny)
