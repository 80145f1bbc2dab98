"""One training step of each toy model, compiled: `stacked`'s mathematics at a core's own speed.

A model at a time, all that a step needs stays in the cache of one core. Any float dtype; one
thread.
"""

from typing import NamedTuple

import numpy as np

from interference.kernels.adam import decayed_adam
from interference.kernels.columns import (
    add,
    add_scaled,
    add_squared_errors,
    over_norms,
    scale,
    scale_all,
)
from interference.kernels.compile import fast_cached, fast_inner, inner
from interference.kernels.tiles import (
    ROWS,
    VECTORS,
    errors,
    inputs,
    lanes,
    multiply,
    multiply_transposed,
    padded,
    zeros,
)

#: Kinds of attack, and none.
NONE, GRADIENT, ANALYTIC = range(3)


class Scratch(NamedTuple):
    """What a step works in; M, N and B are m, n and the batch, padded to whole tiles.

    W: (M, C), C being N padded for `multiply`; W_T: (N, M); gram: W Wᵀ, (M, M); bias: (N, 1).
    inner: hidden errors c, h and attacked h side by side, (M, 3 B); outer: x, e and attacked e,
    (N, 3 B). Their product over all columns is ∂L/∂W, but for a term of the code.
    used: (1, B), one for a sample and zero for padding; uniforms: (n, B).
    noise, preactivations: (N, B); hidden_error, moved, code, shift: (M, B).
    squares: (1, B); radius, sums, best: (B,); totals: (N, lanes).
    square: (M, M); carried: (M, C); responses: (N, C); grad_W: (M, N); grad_b: (1, N).
    """

    width: int
    W: np.ndarray
    W_T: np.ndarray
    gram: np.ndarray
    bias: np.ndarray
    inner: np.ndarray
    outer: np.ndarray
    used: np.ndarray
    uniforms: np.ndarray
    noise: np.ndarray
    preactivations: np.ndarray
    hidden_error: np.ndarray
    moved: np.ndarray
    code: np.ndarray
    shift: np.ndarray
    squares: np.ndarray
    radius: np.ndarray
    sums: np.ndarray
    best: np.ndarray
    totals: np.ndarray
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

    def exact(*shape: int) -> np.ndarray:
        return zeros(shape, dtype)

    def wide(rows: int) -> np.ndarray:
        # one vector more a row: rows a power of two apart would share a few sets of the cache
        return exact(rows, 3 * B + lanes(dtype))

    used = exact(1, B)
    used[:, :batch] = 1
    return Scratch(
        B, exact(M, C), exact(N, M), exact(M, M), exact(N, 1), wide(M), wide(N), used,
        exact(features, B), exact(N, B), exact(N, B), *(exact(M, B) for _ in range(4)),
        exact(1, B), *(exact(B) for _ in range(3)), exact(N, lanes(dtype)),
        exact(M, M), exact(M, C), exact(N, C), exact(M, N), exact(1, N),
    )  # fmt: skip


@fast_inner
def _load(s, W, b):
    """Fill in a model's W (m, n), its transpose, W Wᵀ and b (n,)."""
    for i in range(W.shape[1]):
        s.bias[i, 0] = b[i]
        for j in range(W.shape[0]):
            s.W[j, i] = W[j, i]
            s.W_T[i, j] = W[j, i]
    multiply_transposed(s.W, s.W, s.gram, s.W.shape[1])


@fast_inner
def _load_inputs(s, u, minus_inverse_density):
    """x = ReLU(1 − u/p) into s.outer, ‖x‖² of each sample into s.squares. u: (n, batch)."""
    if u.shape[1] < s.width:
        s.uniforms[:, : u.shape[1]] = u
        inputs(s.uniforms, s.outer, s.used, s.squares, minus_inverse_density)
    else:
        inputs(u, s.outer, s.used, s.squares, minus_inverse_density)


@fast_inner
def _backward(s, part, weight, hidden_error):
    """weight · e of that part of s.inner into s.outer, weight · c into hidden_error."""
    errors(s.W_T, s.inner, s.outer, s.bias, s.used, s.totals, weight, part * s.width,
           part * s.width)  # fmt: skip
    multiply(s.W, s.outer, hidden_error, s.outer.shape[0], s.width, part * s.width, 0)


@fast_inner
def _add_grad_b(s):
    """Add each row's errors, of the last `_backward`, to s.grad_b."""
    for i in range(s.totals.shape[0]):
        for lane in range(s.totals.shape[1]):
            s.grad_b[0, i] += s.totals[i, lane]


@inner
def _total(row):
    """Σ of a row, one after the other: with fastmath, fresh and cached code add in other orders."""
    total = row[0] - row[0]
    for t in range(row.shape[0]):
        total += row[t]
    return total


@fast_inner
def _set_radius(s, relative_epsilon, mean, batch):
    """Radius of each sample from ‖x‖²: a part of its own norm, or of the batch's mean norm."""
    for t in range(s.width):
        s.radius[t] = relative_epsilon * np.sqrt(s.squares[0, t])
    if mean:
        s.radius[:] = _total(s.radius) / s.radius.dtype.type(batch)


@fast_inner
def _move(s):
    """h + W δ into the third part of s.inner."""
    start = np.uintp(s.width)
    for j in range(s.shift.shape[0]):
        for t in range(start):
            s.inner[j, start + start + t] = s.inner[j, start + t] + s.shift[j, t]


@fast_inner
def _ascend(s, steps, relative_step):
    """Steepest ascent from the gradient in s.hidden_error: a into s.code, W δ into s.shift.

    Each step has length relative_step · radius; a longer perturbation is scaled back.
    """
    rows, sums, one = s.code.shape[0], s.sums, s.radius.dtype.type(1)
    s.code[:] = one - one
    s.shift[:] = one - one
    for step in range(steps):
        if step > 0:
            _move(s)
            _backward(s, 2, one, s.hidden_error)
        multiply(s.gram, s.hidden_error, s.moved, rows, s.width, 0, 0)
        over_norms(s.hidden_error, s.moved, s.radius, sums)
        for t in range(s.width):
            sums[t] *= relative_step
        add_scaled(s.hidden_error, sums, s.code)
        add_scaled(s.moved, sums, s.shift)
        if relative_step * (step + 1) > 1:
            over_norms(s.code, s.shift, s.radius, sums)
            for t in range(s.width):
                sums[t] = min(sums[t], one)
            scale(s.code, sums)
            scale(s.shift, sums)


@fast_inner
def _choose_output(s, features, batch):
    """The analytic attack: of ± the gradient of each output's preactivation, the worst direction.

    Along (Wᵀ W)_i the code is W_i, and with G = W Wᵀ, ‖Wᵀ W_i‖² = (Wᵀ G W)_ii and preactivations
    move by (Wᵀ G W)_i. Into s.code and s.shift.
    """
    rows, wide = s.code.shape[0], s.carried.shape[1]
    zero, one = s.best.dtype.type(0), s.best.dtype.type(1)
    multiply(s.gram, s.W, s.carried, rows, wide, 0, 0)
    multiply(s.W_T, s.carried, s.responses, rows, wide, 0, 0)
    multiply(s.W_T, s.inner, s.preactivations, rows, s.width, s.width, 0)
    s.best[:] = -one
    for i in range(features):
        length = np.sqrt(s.responses[i, i])
        if length == zero:
            continue
        for sign in (one, -one):
            size = sign / length
            s.sums[:] = zero
            for k in range(features):
                add_squared_errors(s.outer[k], s.preactivations[k], s.bias[k, 0],
                                   size * s.responses[i, k], s.radius, s.sums)  # fmt: skip
            for t in range(batch):
                if s.sums[t] > s.best[t]:
                    s.best[t] = s.sums[t]
                    for j in range(rows):
                        s.code[j, t] = size * s.radius[t] * s.W[j, i]
                        s.shift[j, t] = size * s.radius[t] * s.carried[j, i]


@fast_inner
def _attack(s, noise, attack, reals, counts):
    """a into s.code and W δ into s.shift, of the attack on every sample.

    s.hidden_error holds a multiple of the clean c. Other arguments: as of `gradients`.
    """
    features, batch = noise.shape
    relative_epsilon, relative_step, deviation = reals[1:]
    steps, mean = counts
    _set_radius(s, relative_epsilon, mean, batch)
    if attack == ANALYTIC:
        _choose_output(s, features, batch)
    else:
        if deviation > 0:
            for i in range(features):
                for t in range(batch):
                    s.noise[i, t] = s.outer[i, t] + deviation * noise[i, t]
            multiply(s.W, s.noise, s.inner, s.noise.shape[0], s.width, 0, 2 * s.width)
            _backward(s, 2, s.radius.dtype.type(1), s.hidden_error)
        _ascend(s, steps, relative_step)


@fast_inner
def gradients(s, W, b, u, noise, minus_inverse_density, attack, reals, counts):
    """∂L/∂W into s.grad_W and ∂L/∂b into s.grad_b, of (1 − weight) · clean + weight · attacked loss.

    W: (m, n); b: (n,); u: uniforms (n, batch); noise: standard normals (n, batch), unread where
    their deviation is 0. attack: NONE (the clean loss), GRADIENT or ANALYTIC.
    reals: weight, relative_epsilon, relative_step, noise deviation; counts: steps, mean radius.
    """
    width, batch, weight = s.width, u.shape[1], reals[0]
    zero, one = b.dtype.type(0), b.dtype.type(1)
    clean_weight = one - weight if attack != NONE else one
    s.grad_b[:] = zero
    _load(s, W, b)
    _load_inputs(s, u, minus_inverse_density)
    multiply(s.W, s.outer, s.inner, s.outer.shape[0], width, 0, width)
    # An attack needs the clean errors, whatever their weight, up to a factor.
    _backward(s, 1, clean_weight if clean_weight != zero else one, s.hidden_error)
    s.inner[:, :width] = zero
    if clean_weight != zero:
        _add_grad_b(s)
        add(s.hidden_error, s.inner)
    if attack != NONE:
        _attack(s, noise, attack, reals, counts)
        if clean_weight == zero:
            s.outer[:, width : 2 * width] = zero
        _move(s)
        _backward(s, 2, weight, s.hidden_error)
        _add_grad_b(s)
        add(s.hidden_error, s.inner)
        multiply_transposed(s.hidden_error, s.code, s.square, width)
        multiply(s.square, s.W, s.carried, s.square.shape[0], s.carried.shape[1], 0, 0)
    multiply_transposed(s.inner, s.outer, s.grad_W, (2 if attack == NONE else 3) * width)
    factor = b.dtype.type(2) / b.dtype.type(u.shape[0] * batch)
    if attack != NONE:
        add(s.carried[:, : W.shape[1]], s.grad_W)
    scale_all(s.grad_W, factor)
    s.grad_b[:] *= factor


@fast_cached
def train_step(s, stack, uniforms, normals, models, reals, counts, constants):
    """One step of Adam on each model of a stack, in place.

    stack: W (S, m, n) and b (S, n), and of each Adam's mean and square; uniforms, normals: of each
    seed, (K, n, batch); models: −1/p (S,), place of the seed (S,) and attack (S,).
    reals, counts: as of `gradients`; constants: of `decayed_adam`.
    """
    W, W_mean, W_square, b, b_mean, b_square = stack
    minus_inverse_density, seed, attack = models
    for k in range(W.shape[0]):
        gradients(s, W[k], b[k], uniforms[seed[k]], normals[seed[k]], minus_inverse_density[k],
                  attack[k], reals, counts)  # fmt: skip
        one = slice(k, k + 1)
        decayed_adam(W[k], s.grad_W, W_mean[k], W_square[k], constants)
        decayed_adam(b[one], s.grad_b, b_mean[one], b_square[one], constants)
