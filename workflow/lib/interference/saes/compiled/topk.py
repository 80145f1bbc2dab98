"""TopK's compiled step: the loss of `types.topk` without a dense code or a dense gradient.

Decoding and both weight gradients touch the k active latents of a row alone; a latent's gradient is made
once, in registers, and used at once for its Adam step.
"""

from dataclasses import dataclass

import numpy as np

from interference.kernels.adam import adam
from interference.kernels.codes import errors, gradient_latents, latent_gradient, ordered
from interference.kernels.compile import cached
from interference.kernels.gathered import dot, normalise_row, remove_parallel_row
from interference.kernels.selection import top_biased_rows
from interference.saes.auxk import auxiliary
from interference.saes.member import Member

#: Rows whose pre-activations are made, and chosen from, at a time: they stay in cache.
BLOCK = 512


@dataclass(frozen=True)
class Backward:
    """What gradients are made of. centred: (n, d) x − b_dec; g: (prefixes, n, d) the gradients at
    the reconstructions; code: of `ordered`; extra: AuxK's gradients."""

    centred: np.ndarray
    g: np.ndarray
    code: tuple
    extra: tuple


class Step:
    """Moves one member."""

    def __init__(self, member: Member):
        self.member, self.settings = member, member.settings
        self.k = int(member.sparsity)
        self.ends = np.array(self.prefixes(len(member.parameters["b_enc"])))

    def prefixes(self, latents: int) -> list[int]:
        """Where the nested dictionaries end that each reconstruct the rows: here, all latents."""
        return [latents]

    def step(self, x: np.ndarray, rate: float, fraction: float) -> None:
        """One update on x: (n, d) float32. fraction: of training done (unused by this type)."""
        adam, length, norm = (
            self.member.adam,
            self.member.state["length"],
            self.member.state["norm"],
        )
        first = not adam.steps
        if first:
            self.scale_encoder(x)
        made = self._backward(x)
        number = x.dtype.type
        scalars, g_enc = adam.advance(rate), np.zeros_like(self.member.parameters["b_dec"])
        scale = number(1 / norm[0])
        square = update_latents(
            made.centred, made.g, made.code, self.ends, made.extra,
            *(adam.state(name) for name in ("w_dec", "w_enc", "b_enc")), length,
            scale, tuple(map(number, scalars)), g_enc,
        )  # fmt: skip
        g_dec = made.g[0].sum(0) - g_enc
        adam.update("b_dec", scale * g_dec, scalars)
        own = np.sqrt(square + np.square(g_dec, dtype=np.float64).sum())
        if own > 0:
            norm[0] = own
        if first:  # its step is the same at any norm
            adam.rescale(1 / norm[0])

    def scale_encoder(self, x: np.ndarray) -> None:
        """Make the reconstructions of x: (n, d), without b_dec, as long as its rows on average."""
        p = self.member.parameters
        centred = x - p["b_dec"]
        index, value, _ = self._code(centred, np.empty(0, np.int64))
        nothing = np.zeros_like(p["b_dec"])
        made, _ = errors(np.zeros_like(x), index, value, self.ends, p["w_dec"], nothing, 1.0)
        square = np.square(made[-1], dtype=np.float64).sum()
        if square > 0:
            ratio = np.square(centred, dtype=np.float64).sum() / square
            p["w_enc"] *= x.dtype.type(np.sqrt(ratio))

    def gradients(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Gradients of L, and the firing counters brought up to date. x: (n, d)."""
        p = self.member.parameters
        made = self._backward(x)
        place, *extra = made.extra
        found = {name: np.empty_like(array) for name, array in p.items()}
        names = ("w_dec", "w_enc", "b_enc")
        gradient_latents(made.centred, made.g, made.code, self.ends, *map(found.get, names))
        found["b_dec"] = made.g[0].sum(0) - found["b_enc"] @ p["w_enc"]
        dead = np.flatnonzero(place >= 0)
        for name, gradient in zip(names, extra):
            found[name][dead] += gradient
        return found

    def _backward(self, x: np.ndarray) -> Backward:
        """From rows (n, d) to what the gradients are made of; brings the counters up to date."""
        p, silent, n = self.member.parameters, self.member.state["silent"], len(x)
        centred = x - p["b_dec"]
        watched = np.flatnonzero(silent + n > self.settings.dead_after)  # dead unless it fires
        index, value, z = self._code(centred, watched)
        g, slope = errors(x, index, value, self.ends, p["w_dec"], p["b_dec"], 2 / n)
        code = ordered(index, value, slope, len(p["b_enc"]))
        silent += n
        silent[np.diff(code[0]) > 0] = 0
        return Backward(centred, g, code, self._auxiliary(centred, g[-1], watched, z))

    def _code(
        self, centred: np.ndarray, watched: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The code of rows (n, d), as index and value: (n, any), active latents first, ascending,
        and z: (n, w), the rectified pre-activations of the latents ``watched``."""
        p, n = self.member.parameters, len(centred)
        index = np.empty((n, self.k), np.int32)
        value = np.empty((n, self.k), centred.dtype)
        z = np.empty((n, len(watched)), centred.dtype)
        pre = np.empty((min(BLOCK, n), len(p["b_enc"])), centred.dtype)
        for first in range(0, n, BLOCK):
            block = slice(first, first + BLOCK)
            part = np.matmul(centred[block], p["w_enc"].T, out=pre[: n - first])
            top_biased_rows(part, p["b_enc"], self.k, index[block], value[block], watched, z[block])
        return index, value, z

    def _auxiliary(
        self, centred: np.ndarray, g: np.ndarray, watched: np.ndarray, z: np.ndarray
    ) -> tuple:
        """AuxK's gradients, of chosen dead latents only; b_dec gets none.

        g: (n, d) 2 (x̂ − x) / n; z: (n, w), the rectified pre-activations of the latents
        ``watched``. Returns place: (h,), the dead latents' places in the other three and −1
        elsewhere; the gradients of w_dec and w_enc: (dead, d), and of b_enc: (dead,).
        """
        settings, w_dec = self.settings, self.member.parameters["w_dec"]
        place = np.full(len(w_dec), -1, np.int64)
        still = self.member.state["silent"][watched] > settings.dead_after
        dead = watched[still]
        aux_k = min(settings.aux_k, len(dead))
        if not aux_k or not settings.aux_weight:
            nothing = np.empty((0, w_dec.shape[1]), z.dtype)
            return place, nothing, nothing, np.empty(0, z.dtype)
        place[dead] = np.arange(len(dead))
        scale = settings.aux_weight * min(len(dead) / settings.aux_k, 1.0)
        z = np.ascontiguousarray(z[:, still])
        return place, *auxiliary(centred, g, z, aux_k, scale, w_dec[dead])


@cached
def update_latents(x, g, code, ends, extra, decoder, encoder, bias, length, scale, scalars, shared):
    """The gradient of each latent, and Adam's step with it, in one pass over the parameters.

    x, g, code, ends: as in `gradient_latents`; extra: (place, dec, enc, bias), AuxK's gradients of
    the latents whose place is not negative; decoder, encoder: (parameters, m, v), each (h, d);
    bias: the same, (h,). Decoder rows have unit norm: the gradient along them is removed, the step
    is added to the row times its length, (h,), and the sum's norm is the length from then on.
    Adam's gradients are these times ``scale``. shared: (d,) is added Σ_i bias gradient · w_enc,i,
    without AuxK's. Returns the sum of squares of the gradients, unscaled, as float64.
    """
    w_dec, m_dec, v_dec = decoder
    w_enc, m_enc, v_enc = encoder
    b, m_b, v_b = bias
    place, extra_dec, extra_enc, extra_bias = extra
    d = w_dec.shape[1]
    dec, enc = np.empty((1, d), x.dtype), np.empty((1, d), x.dtype)
    g_b, own, out = np.empty(1, x.dtype), np.empty(1, np.int32), np.empty(1, x.dtype)
    first, square = 0, 0.0
    for q in range(len(ends)):
        for i in range(first, ends[q]):
            g_b[0] = latent_gradient(x, g[q], code, i, dec[0], enc[0])
            for c in range(d):
                shared[c] += g_b[0] * w_enc[i, c]
            if place[i] >= 0:
                j = place[i]
                g_b[0] += extra_bias[j]
                for c in range(d):
                    dec[0, c] += extra_dec[j, c]
                    enc[0, c] += extra_enc[j, c]
            remove_parallel_row(dec, 0, w_dec, i, own, out)
            square += dot(dec, 0, dec, 0, own, out) + dot(enc, 0, enc, 0, own, out)
            square += g_b[0] * g_b[0]
            g_b[0] *= scale
            for c in range(d):
                dec[0, c] *= scale
                enc[0, c] *= scale
                w_dec[i, c] *= length[i]
            adam(w_dec[i], dec[0], m_dec[i], v_dec[i], *scalars)
            adam(w_enc[i], enc[0], m_enc[i], v_enc[i], *scalars)
            adam(b[i : i + 1], g_b, m_b[i : i + 1], v_b[i : i + 1], *scalars)
            length[i] = normalise_row(w_dec, i, own, out)
        first = ends[q]
    return square
