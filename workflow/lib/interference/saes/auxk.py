"""Gradients of AuxK, the auxiliary loss of dead latents, for the compiled step of TopK."""

import numpy as np

from interference.kernels.codes import errors, gradient_latents, ordered
from interference.kernels.dense import gate_rows
from interference.kernels.selection import keep_top_rows, top_rows

#: It goes latent by latent where it takes one of so many dead latents, or fewer.
SPARSE = 8


def auxiliary(centred, g, z, aux_k, scale, w_dec):
    """Gradients of w_dec, w_enc: (dead, d) and b_enc: (dead,) of scale · mean_rows ‖e − ê‖².

    centred: (n, d) x − b_dec; g: (n, d) −2 e / n; z: (n, dead) rectified pre-activations, of which
    the largest aux_k of a row make ê, overwritten; w_dec: (dead, d).
    """
    gradients = _sparse if SPARSE * aux_k <= z.shape[1] else _dense
    return gradients(centred, g, z, aux_k, scale, w_dec)


def _sparse(centred, g, z, aux_k, scale, w_dec):
    n, latents = z.shape
    index, value = np.empty((n, aux_k), np.int32), np.empty((n, aux_k), z.dtype)
    top_rows(z, aux_k, index, value)
    ends, error = np.array([latents]), g * z.dtype.type(-n / 2)
    g, slope = errors(error, index, value, ends, w_dec, np.zeros_like(w_dec[0]), 2 * scale / n)
    found = np.empty_like(w_dec), np.empty_like(w_dec), np.empty(latents, z.dtype)
    gradient_latents(centred, g, ordered(index, value, slope, latents), ends, *found)
    return found


def _dense(centred, g, z, aux_k, scale, w_dec):
    n, latents = z.shape
    if aux_k < latents:
        keep_top_rows(z, aux_k)
    error = z @ w_dec
    error *= z.dtype.type(2 * scale / n)
    error += z.dtype.type(scale) * g
    g_pre = error @ w_dec.T
    gate_rows(g_pre, z, np.zeros(latents, z.dtype))
    return z.T @ error, g_pre.T @ centred, g_pre.sum(0)
