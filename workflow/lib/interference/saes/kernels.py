"""Compiled loops: what a sparse code makes cheap, and what several numpy passes would make slow.

A TopK code has k of h latents active in a row, so decoding and both weight gradients touch k rows
of each matrix, not all h. Every kernel takes float32, or float64 for tests against autograd, and
runs on one thread. The compiled code is cached beside the source.
"""

import numba
import numpy as np

_jit = numba.njit(cache=True, fastmath=True, nogil=True)


@_jit
def _count_above(row, bar):
    count = 0
    for i in range(row.shape[0]):
        count += row[i] > bar
    return count


@_jit
def _bar_below_top(row, k):
    """A bar with at least k entries above it, and hardly more, by bisection from 0 and the maximum."""
    low, high = row[0] - row[0], row.max()
    for _ in range(32):
        middle = (low + high) / 2
        count = _count_above(row, middle)
        if count >= k:
            low = middle
            if count <= k + 4:
                break
        else:
            high = middle
    return low


@_jit
def top_rows(pre, k, index, value):
    """The k largest entries of each row that are positive; of equals, the lower indices.

    pre: (n, h); writes index: (n, k) int32, ascending, and value: (n, k). Where fewer than k
    entries are positive, the places left have index 0 and value 0.
    """
    h = pre.shape[1]
    kept = np.empty(h, np.int32)
    for r in range(pre.shape[0]):
        row = pre[r]
        bar = row[0] - row[0]
        if _count_above(row, bar) > k:
            bar = _bar_below_top(row, k)
        count = 0
        for i in range(h):
            if row[i] > bar:
                kept[count] = i
                count += 1
        while count > k:  # drop the smallest, of equals the last
            worst = 0
            for j in range(1, count):
                if row[kept[j]] <= row[kept[worst]]:
                    worst = j
            for j in range(worst, count - 1):
                kept[j] = kept[j + 1]
            count -= 1
        for j in range(k):
            index[r, j] = kept[j] if j < count else 0
            value[r, j] = row[kept[j]] if j < count else 0


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
def decode_rows(index, value, w_dec, b_dec, out):
    """out[r] = b_dec + Σ_j value[r, j] · w_dec[index[r, j]]. w_dec: (h, d); out: (n, d)."""
    d = w_dec.shape[1]
    for r in range(index.shape[0]):
        for c in range(d):
            out[r, c] = b_dec[c]
        for j in range(index.shape[1]):
            v = value[r, j]
            if v > 0:
                i = np.uint32(index[r, j])
                for c in range(d):
                    out[r, c] += v * w_dec[i, c]


@_jit
def backward_rows(x, g, index, value, w_dec, g_dec, g_enc, g_bias):
    """Add the gradients of a sparse code. x, g: (n, d) encoder input and dL/dx̂; others (h, …).

    For each active latent i of a row: g_dec[i] += f·g; with s = g·w_dec[i], g_enc[i] += s·x and
    g_bias[i] += s.
    """
    d = x.shape[1]
    for r in range(index.shape[0]):
        for j in range(index.shape[1]):
            v = value[r, j]
            if v > 0:
                i = np.uint32(index[r, j])
                s = v - v
                for c in range(d):
                    s += g[r, c] * w_dec[i, c]
                for c in range(d):
                    g_dec[i, c] += v * g[r, c]
                    g_enc[i, c] += s * x[r, c]
                g_bias[i] += s


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


@_jit
def jump_rows(pre, threshold, bandwidth, g, w_dec, penalty, gradient):
    """Add to ``gradient`` (h,) the straight-through one of JumpReLU's thresholds θ (h,).

    pre: (n, h) pre-activations z; g: (n, d) dL/dx̂; penalty: the L0 penalty of one active latent.
    Every z within half a bandwidth of θ adds −(θ · g·w_dec[i] + penalty) / bandwidth.
    """
    half = bandwidth / 2
    for r in range(pre.shape[0]):
        for i in range(pre.shape[1]):
            if abs(pre[r, i] - threshold[i]) < half:
                s = g[r, 0] - g[r, 0]
                for c in range(g.shape[1]):
                    s += g[r, c] * w_dec[i, c]
                gradient[i] -= (threshold[i] * s + penalty) / bandwidth


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


@_jit
def remove_parallel(gradient, unit):
    """Remove from each row of ``gradient`` its part along the unit row of ``unit``. (h, d)."""
    for i in range(unit.shape[0]):
        s = unit[i, 0] - unit[i, 0]
        for c in range(unit.shape[1]):
            s += gradient[i, c] * unit[i, c]
        for c in range(unit.shape[1]):
            gradient[i, c] -= s * unit[i, c]


@_jit
def normalise_rows(w):
    """Scale each row to unit norm, in place. w: (h, d)."""
    for i in range(w.shape[0]):
        s = w[i, 0] - w[i, 0]
        for c in range(w.shape[1]):
            s += w[i, c] * w[i, c]
        s = 1 / np.sqrt(s)
        for c in range(w.shape[1]):
            w[i, c] *= s


@_jit
def adam_rows(p, g, m, v, step, beta1, rest1, beta2, rest2, eps):
    """One Adam step in place; all arrays flat and of one length, all scalars of their dtype.

    rest = 1 − beta; step and eps carry the bias corrections (Kingma & Ba 2015, end of §2).
    """
    for i in range(p.shape[0]):
        m[i] = beta1 * m[i] + rest1 * g[i]
        v[i] = beta2 * v[i] + rest2 * g[i] * g[i]
        p[i] -= step * m[i] / (np.sqrt(v[i]) + eps)
