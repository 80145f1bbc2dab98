"""Compiled loops: what several numpy passes would make slow.

Nothing is compiled with `fastmath`, so that sums keep their order (see `sparse`). Every kernel takes
float32, or float64 for tests against autograd, and runs on one thread. The compiled code is cached
beside the source, by this file alone: a kernel may call only kernels of this file.
"""

import numba
import numpy as np

_OPTIONS = {"nogil": True, "error_model": "numpy"}
_jit, _inner = numba.njit(cache=True, **_OPTIONS), numba.njit(**_OPTIONS)
#: Numbers added at once: a vector register of float32.
LANES = 16


@_jit
def rows_above(pre, bar):
    """The entries of each row above their column's bar, as rows for the kernels below.

    pre: (n, h); bar: (h,), none negative. Returns index (n, m) int32, ascending, and value (n, m),
    where m is the most that one row has; the places left have index 0 and value 0.
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


@_jit
def by_latent(index, value, slope, start, row, values, slopes):
    """The active entries of a code in the order of latents, of one latent in the order of rows.

    start: (h + 1,), where each latent's begin; row, values, slopes: (n k,), what they hold.
    """
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


@_jit
def relu_rows(pre, bias):
    """pre ← max(pre + bias, 0) in place. pre: (n, h); bias: (h,)."""
    for r in range(pre.shape[0]):
        for i in range(pre.shape[1]):
            v = pre[r, i] + bias[i]
            pre[r, i] = v if v > 0 else 0


@_jit
def gate_rows(gradient, active, shift):
    """gradient ← gradient + shift where active > 0, else 0, in place. shift: (h,)."""
    for r in range(gradient.shape[0]):
        for i in range(gradient.shape[1]):
            if active[r, i] > 0:
                gradient[r, i] += shift[i]
            else:
                gradient[r, i] = 0


@_inner
def _dot(a, b, lanes):
    """a · b, lane by lane and then halves added, so that it vectorises in one order. lanes: scratch."""
    d = a.shape[0]
    whole = d - d % LANES
    lanes[:] = 0
    for start in range(0, whole, LANES):
        for e in range(LANES):
            lanes[e] += a[start + e] * b[start + e]
    for c in range(whole, d):
        lanes[c - whole] += a[c] * b[c]
    width = LANES // 2
    while width:
        for e in range(width):
            lanes[e] += lanes[e + width]
        width //= 2
    return lanes[0]


@_jit
def sum_of_squares(array):
    """Σ a² of a flat array, in float64."""
    lanes = np.zeros(LANES)
    whole = array.shape[0] - array.shape[0] % LANES
    for start in range(0, whole, LANES):
        for e in range(LANES):
            a = np.float64(array[start + e])
            lanes[e] += a * a
    for i in range(whole, array.shape[0]):
        lanes[i - whole] += np.float64(array[i]) ** 2
    total = 0.0
    for e in range(LANES):
        total += lanes[e]
    return total


@_jit
def row_norms(w, norms):
    """norms ← ‖w_i‖. w: (h, d); norms: (h,)."""
    lanes = np.empty(LANES, w.dtype)
    for i in range(w.shape[0]):
        norms[i] = np.sqrt(_dot(w[i], w[i], lanes))


@_jit
def add_scaled_rows(gradient, factor, w):
    """gradient_i ← gradient_i + factor_i · w_i. (h, d), factor: (h,)."""
    for i in range(w.shape[0]):
        for c in range(w.shape[1]):
            gradient[i, c] += factor[i] * w[i, c]


@_jit
def jump_rows(pre, threshold, bandwidth, g, w_dec, penalty, gradient):
    """Add to ``gradient`` (h,) the straight-through one of JumpReLU's thresholds θ (h,).

    pre: (n, h) pre-activations z; g: (n, d) dL/dx̂; penalty: the L0 penalty of one active latent.
    Every z within half a bandwidth of θ adds −(θ · g·w_dec[i] + penalty) / bandwidth.
    """
    half, lanes = bandwidth / 2, np.empty(LANES, g.dtype)
    for r in range(pre.shape[0]):
        for i in range(pre.shape[1]):
            if abs(pre[r, i] - threshold[i]) < half:
                slope = _dot(g[r], w_dec[i], lanes)
                gradient[i] -= (threshold[i] * slope + penalty) / bandwidth


@_jit
def gated_rows(base, b_gate, scale, b_mag, gate, code):
    """gate ← ReLU(base + b_gate); code ← ReLU(scale · base + b_mag) where gate > 0, else 0.

    base, gate, code: (n, h); b_gate, scale, b_mag: (h,).
    """
    for r in range(base.shape[0]):
        for i in range(base.shape[1]):
            v, u = base[r, i] + b_gate[i], scale[i] * base[r, i] + b_mag[i]
            gate[r, i] = v if v > 0 else 0
            code[r, i] = u if v > 0 and u > 0 else 0


@_jit
def gated_backward(base, scale, gate, code, g_gate, g_code, b_gate, log_scale, b_mag):
    """Through `gated_rows`: g_gate ← dL/dbase in place, and three gradients (h,) are added to.

    g_gate, g_code: (n, h) dL/dgate and dL/dcode. b_gate, log_scale, b_mag: of the biases and of
    the logarithm of the scale. The open or shut gate of a code has no gradient.
    """
    for r in range(base.shape[0]):
        for i in range(base.shape[1]):
            through = base[r, i] - base[r, i]
            if gate[r, i] > 0:
                through += g_gate[r, i]
                b_gate[i] += g_gate[r, i]
            if code[r, i] > 0:
                scaled = g_code[r, i] * scale[i]
                through += scaled
                log_scale[i] += scaled * base[r, i]
                b_mag[i] += g_code[r, i]
            g_gate[r, i] = through
