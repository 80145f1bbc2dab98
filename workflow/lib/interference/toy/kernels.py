"""One training step of each toy model, compiled: `stacked`'s mathematics at a core's own speed.

A model at a time, all that a step needs stays in the cache of one core. Any float dtype; one
thread.
"""

from typing import NamedTuple

import numba
import numpy as np

from interference.provenance import code_digest
from interference.toy.loops import (
    add,
    add_products,
    add_scaled,
    add_squared_error,
    copy_scaled,
    error_row,
    input_row,
    multiply_by,
    over_norm,
)
from interference.toy.tiles import (
    OPTIONS,
    ROWS,
    VECTORS,
    lanes,
    multiply,
    multiply_transposed,
    padded,
)

#: Kinds of attack, and none.
NONE, GRADIENT, ANALYTIC = range(3)

_jit = numba.njit(**OPTIONS)


class Scratch(NamedTuple):
    """What a step works in; M, N and B are m, n and the batch, padded to whole tiles.

    W: (M, C), C being N padded for `multiply`; W_T: (N, M); gram: W Wᵀ, (M, M).
    inner: hidden errors c, h and attacked h side by side, (M, 3 B); outer: x, e and attacked e,
    (N, 3 B). Their product over all columns is ∂L/∂W, but for a term of the code.
    noise, preactivations: (N, B); hidden, hidden_error, code, shift, point: (M, B).
    radius, sums, best: (B,); square: (M, M); carried: (M, C); responses: (N, C).
    grad_W: (M, N); grad_b: (N,). Rows of a matrix have some columns more than its width.
    """

    width: int
    W: np.ndarray
    W_T: np.ndarray
    gram: np.ndarray
    inner: np.ndarray
    outer: np.ndarray
    noise: np.ndarray
    preactivations: np.ndarray
    hidden: np.ndarray
    hidden_error: np.ndarray
    code: np.ndarray
    shift: np.ndarray
    point: np.ndarray
    radius: np.ndarray
    sums: np.ndarray
    best: np.ndarray
    square: np.ndarray
    carried: np.ndarray
    responses: np.ndarray
    grad_W: np.ndarray
    grad_b: np.ndarray


def scratch(features: int, hidden: int, batch: int, dtype: np.dtype) -> Scratch:
    """Zeros for models of n features and m hidden dimensions."""
    columns = VECTORS * lanes(dtype)
    M, N = padded(hidden, ROWS), padded(features, max(ROWS, VECTORS))
    C, B = padded(N, columns), padded(batch, columns)

    def wide(rows: int, width: int) -> np.ndarray:
        # one vector more a row: rows a power of two apart would share a few sets of the cache
        return np.zeros((rows, width + lanes(dtype)), dtype)

    def exact(*shape: int) -> np.ndarray:
        return np.zeros(shape, dtype)

    return Scratch(
        B, exact(M, C), exact(N, M), exact(M, M), wide(M, 3 * B), wide(N, 3 * B), wide(N, B),
        wide(N, B), *(wide(M, B) for _ in range(5)), *(exact(B) for _ in range(3)),
        exact(M, M), exact(M, C), exact(N, C), exact(M, N), exact(N),
    )  # fmt: skip


# One model's step. Arrays of `Scratch` are written whole, padding included, which stays zero.


@_jit
def _load(s, W):
    """Fill in a model's W (m, n), its transpose and W Wᵀ."""
    for j in range(W.shape[0]):
        copy_scaled(W[j], W.dtype.type(1), s.W[j])
        for i in range(W.shape[1]):
            s.W_T[i, j] = W[j, i]
    multiply_transposed(s.W, s.W, s.gram, s.W.shape[1])


@_jit
def _load_inputs(s, u, minus_inverse_density):
    """x = ReLU(1 − u/p) into s.outer, ‖x‖² of each sample into s.sums. u: (n, batch)."""
    s.sums[:] = s.sums.dtype.type(0)
    for i in range(u.shape[0]):
        input_row(u[i], minus_inverse_density, s.outer[i], s.sums)


@_jit
def _backward(s, hidden, b, weight, part, batch):
    """Hidden activations → c into s.hidden_error, by way of e in that part of s.outer.

    Adds weight · Σ e to s.grad_b.
    """
    outer, start = s.outer, part * s.width
    multiply(s.W_T, hidden, outer, hidden.shape[0], s.width, 0, start)
    for i in range(b.shape[0]):
        row = outer[i, start : start + batch]
        s.grad_b[i] += weight * error_row(outer[i], row, b[i])
    multiply(s.W, outer, s.hidden_error, outer.shape[0], s.width, start, 0)


@_jit
def _set_radius(s, relative_epsilon, mean, batch):
    """Radius of each sample from ‖x‖² in s.sums: a part of its own norm, or of the mean norm."""
    total = s.radius.dtype.type(0)
    for t in range(batch):
        s.radius[t] = relative_epsilon * np.sqrt(s.sums[t])
        total += s.radius[t]
    if mean:
        s.radius[:batch] = total / s.radius.dtype.type(batch)


@_jit
def _move(s):
    """h + W δ into s.point."""
    for j in range(s.point.shape[0]):
        add(s.hidden[j], s.shift[j], s.point[j])


@_jit
def _ascend(s, b, steps, relative_step, batch):
    """Steepest ascent from the gradient in s.hidden_error: a into s.code, W δ into s.shift.

    Each step has length relative_step · radius; a longer perturbation is scaled back.
    """
    rows, sums, zero = s.code.shape[0], s.sums, b.dtype.type(0)
    s.code[:] = zero
    s.shift[:] = zero
    for step in range(steps):
        if step > 0:
            _move(s)
            _backward(s, s.point, b, zero, 2, batch)
        multiply(s.gram, s.hidden_error, s.point, rows, s.width, 0, 0)
        sums[:] = zero
        for j in range(rows):
            add_products(s.hidden_error[j, : s.width], s.point[j, : s.width], sums)
        over_norm(s.radius, sums)
        for t in range(s.width):
            sums[t] *= relative_step
        for j in range(rows):
            add_products(sums, s.hidden_error[j], s.code[j])
            add_products(sums, s.point[j], s.shift[j])
        if relative_step * (step + 1) > 1:
            sums[:] = zero
            for j in range(rows):
                add_products(s.code[j, : s.width], s.shift[j, : s.width], sums)
            over_norm(s.radius, sums)
            for t in range(s.width):
                sums[t] = min(sums[t], sums.dtype.type(1))
            for j in range(rows):
                multiply_by(sums, s.code[j])
                multiply_by(sums, s.shift[j])


@_jit
def _choose_output(s, b, batch):
    """The analytic attack: of ± the gradient of each output's preactivation, the worst direction.

    Along (Wᵀ W)_i the code is W_i, and with G = W Wᵀ, ‖Wᵀ W_i‖² = (Wᵀ G W)_ii and preactivations
    move by (Wᵀ G W)_i. Into s.code and s.shift.
    """
    features, rows, wide = b.shape[0], s.code.shape[0], s.carried.shape[1]
    zero, one = b.dtype.type(0), b.dtype.type(1)
    multiply(s.gram, s.W, s.carried, rows, wide, 0, 0)
    multiply(s.W_T, s.carried, s.responses, rows, wide, 0, 0)
    multiply(s.W_T, s.hidden, s.preactivations, rows, s.width, 0, 0)
    s.best[:] = -one
    for i in range(features):
        length = np.sqrt(s.responses[i, i])
        if length == zero:
            continue
        for sign in (one, -one):
            scale = sign / length
            s.sums[:] = zero
            for k in range(features):
                row, push = s.preactivations[k, :batch], scale * s.responses[i, k]
                add_squared_error(s.outer[k], row, b[k], push, s.radius, s.sums)
            for t in range(batch):
                if s.sums[t] > s.best[t]:
                    s.best[t] = s.sums[t]
                    for j in range(rows):
                        s.code[j, t] = scale * s.radius[t] * s.W[j, i]
                        s.shift[j, t] = scale * s.radius[t] * s.carried[j, i]


@_jit
def _add_noise(s, noise, deviation):
    """x + deviation · noise into s.noise. noise: (n, batch)."""
    for i in range(noise.shape[0]):
        copy_scaled(noise[i], deviation, s.noise[i])
        add(s.noise[i, : noise.shape[1]], s.outer[i], s.noise[i])


@_jit
def gradients(s, W, b, u, noise, minus_inverse_density, attack, reals, counts):
    """∂L/∂W into s.grad_W and ∂L/∂b into s.grad_b, of (1 − weight) · clean + weight · attacked loss.

    W: (m, n); b: (n,); u: uniforms (n, batch); noise: standard normals (n, batch), unread where
    their deviation is 0. attack: NONE (the clean loss), GRADIENT or ANALYTIC.
    reals: weight, relative_epsilon, relative_step, noise deviation; counts: steps, mean radius.
    """
    weight, relative_epsilon, relative_step, deviation = reals
    steps, mean = counts
    batch, width = u.shape[1], s.width
    zero, one = b.dtype.type(0), b.dtype.type(1)
    clean_weight = one - weight if attack != NONE else one
    s.grad_b[:] = zero
    _load(s, W)
    _load_inputs(s, u, minus_inverse_density)
    multiply(s.W, s.outer, s.hidden, s.outer.shape[0], width, 0, 0)
    _backward(s, s.hidden, b, clean_weight, 1, batch)
    for j in range(s.hidden.shape[0]):
        copy_scaled(s.hidden_error[j, :width], clean_weight, s.inner[j])
        copy_scaled(s.hidden[j, :width], clean_weight, s.inner[j, width:])
    if attack != NONE:
        _set_radius(s, relative_epsilon, mean, batch)
        if attack == ANALYTIC:
            _choose_output(s, b, batch)
        else:
            if deviation > zero:
                _add_noise(s, noise, deviation)
                multiply(s.W, s.noise, s.point, s.noise.shape[0], width, 0, 0)
                _backward(s, s.point, b, zero, 2, batch)
            _ascend(s, b, steps, relative_step, batch)
        _move(s)
        _backward(s, s.point, b, weight, 2, batch)
        for j in range(s.hidden.shape[0]):
            add_scaled(s.hidden_error[j, :width], weight, s.inner[j])
            copy_scaled(s.point[j, :width], weight, s.inner[j, 2 * width :])
        multiply_transposed(s.hidden_error, s.code, s.square, width)
        multiply(s.square, s.W, s.carried, s.square.shape[0], s.carried.shape[1], 0, 0)
    multiply_transposed(s.inner, s.outer, s.grad_W, (2 if attack == NONE else 3) * width)
    scale = b.dtype.type(2) / b.dtype.type(u.shape[0] * batch)
    for j in range(W.shape[0]):
        if attack != NONE:
            add_scaled(s.carried[j, : W.shape[1]], weight, s.grad_W[j])
        copy_scaled(s.grad_W[j], scale, s.grad_W[j])
    s.grad_b[:] *= scale


@_jit
def _adam(parameter, gradient, mean, square, constants):
    rate, root_scale, kept, mean_share, square_kept, square_share, epsilon = constants
    for i in range(parameter.shape[0]):
        g = gradient[i]
        mean[i] += mean_share * (g - mean[i])
        square[i] = square_kept * square[i] + square_share * g * g
        step = rate * mean[i] / (np.sqrt(square[i]) * root_scale + epsilon)
        parameter[i] = kept * parameter[i] - step


def _compile_step(source: str):
    """`train_step`. numba caches it by its own file and what it closes over: ``source`` must change
    with the modules that its code comes from."""

    @numba.njit(cache=True, **OPTIONS)
    def train_step(s, stack, uniforms, normals, models, reals, counts, constants):
        """One step of Adam on each model of a stack, in place.

        stack: W (S, m, n) and b (S, n), and of each Adam's mean and square; uniforms, normals: of each
        seed, (K, n, batch); models: −1/p (S,), place of the seed (S,) and attack (S,).
        reals, counts: as of `gradients`; constants: `stacked.adam_constants`.
        """
        _ = source
        W, W_mean, W_square, b, b_mean, b_square = stack
        minus_inverse_density, seed, attack = models
        for k in range(W.shape[0]):
            gradients(s, W[k], b[k], uniforms[seed[k]], normals[seed[k]], minus_inverse_density[k],
                      attack[k], reals, counts)  # fmt: skip
            for j in range(W.shape[1]):
                _adam(W[k, j], s.grad_W[j], W_mean[k, j], W_square[k, j], constants)
            _adam(b[k], s.grad_b, b_mean[k], b_square[k], constants)

    return train_step


train_step = _compile_step(code_digest(("interference.toy.loops", "interference.toy.tiles")))
