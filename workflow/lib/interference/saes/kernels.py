"""Compiled loops: what a sparse code makes cheap, and what several numpy passes would make slow.

A TopK code has k of h latents active in a row, so decoding and both weight gradients touch k rows
of each matrix, not all h. Every kernel takes float32, or float64 for tests against autograd, and
runs on one thread. The compiled code is cached beside the source.
"""

import numba
import numpy as np

_jit = numba.njit(cache=True, fastmath=True, nogil=True)


@_jit
def top_rows(pre, k, index, value):
    """The k largest entries of each row, after ReLU; of equals, the lower index.

    pre: (n, h); writes index: (n, k) int32 and value: (n, k), largest first. A pick that is not
    positive has value 0.
    """
    for r in range(pre.shape[0]):
        row = pre[r]
        count = 0
        for i in range(row.shape[0]):
            v = row[i]
            if count == k and v <= value[r, k - 1]:
                continue
            j = count if count < k else k - 1
            while j > 0 and value[r, j - 1] < v:
                value[r, j] = value[r, j - 1]
                index[r, j] = index[r, j - 1]
                j -= 1
            value[r, j] = v
            index[r, j] = i
            if count < k:
                count += 1
        for j in range(k):
            value[r, j] = max(value[r, j], 0)


@_jit
def decode_rows(index, value, w_dec, b_dec, out):
    """out[r] = b_dec + Σ_j value[r, j] · w_dec[index[r, j]]. w_dec: (h, d); out: (n, d)."""
    for r in range(index.shape[0]):
        out[r] = b_dec
        for j in range(index.shape[1]):
            v = value[r, j]
            if v > 0:
                row = w_dec[index[r, j]]
                for c in range(row.shape[0]):
                    out[r, c] += v * row[c]


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
                i = index[r, j]
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
            pre[r, i] = max(pre[r, i] + bias[i], 0)


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
def adam_rows(p, g, m, v, rate, beta1, beta2, eps, correction1, correction2):
    """One Adam step (Kingma & Ba 2015) in place; all arrays flat and of one length."""
    for i in range(p.shape[0]):
        m[i] = beta1 * m[i] + (1 - beta1) * g[i]
        v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i]
        p[i] -= rate * (m[i] / correction1) / (np.sqrt(v[i] / correction2) + eps)
