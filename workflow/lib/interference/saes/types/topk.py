"""TopK with AuxK (Gao et al. 2024, §2.3 and A.2).

    z = TopK(ReLU(W_enc (x − b_dec) + b_enc)),   x̂ = W_decᵀ z + b_dec
    L = mean_rows ‖x − x̂‖² + weight · min(n_dead / k_aux, 1) · mean_rows ‖e − ê‖²

e = x − x̂ is taken as a constant, ê = W_decᵀ z_dead is made of the top k_aux *dead* latents, without
b_dec: a latent is dead when it has not fired for ``dead_after`` rows. The scale of the auxiliary
loss is SAELens's. A pick whose value is zero does not count as firing.

Decoder rows have unit norm: the gradient along them is removed and they are renormalised after each
step. A step is taken at a length that is kept beside each row: it starts at 0.1 and grows as steps
go sideways, so that rows turn fast at first and slowly in the end (weight normalisation: Salimans &
Kingma 2016, §2.1). Steps at length 1 leave FVU 4 to 7 % higher.

Adam takes each gradient over the norm of the one before it, all parameters together. Gradients
shrink severalfold in training, and the square of the first ones would shorten steps for a thousand
more: without this, FVU is 2 to 10 % higher. (Other trainers clip at norm 1, which is nearly always
exceeded, so it is the same thing; the norm before is known when a latent takes its step.)

W_enc starts as W_dec, times the number that makes reconstructions of the first batch as long as its
rows (A.1): at unit norm the sum of k correlated latents overshoots x several times.
"""

from dataclasses import dataclass

import numpy as np

from interference.config.saes import TopK
from interference.saes.adam import Adam
from interference.saes.codes import errors, ordered
from interference.saes.dictionary import Dictionary, initial_directions
from interference.saes.kernels import gate_rows
from interference.saes.selection import keep_top_rows, top_biased_rows, top_rows
from interference.saes.sparse import gradient_latents, update_latents

SPARSITY = "k"
Settings = TopK
#: Of decoder rows at the start, as their steps see it.
INITIAL_LENGTH = 0.1
#: AuxK goes latent by latent where it takes one of so many dead latents, or fewer.
SPARSE = 8
#: Rows whose pre-activations are made, and chosen from, at a time: they stay in cache.
BLOCK = 512


@dataclass(frozen=True)
class Backward:
    """What gradients are made of. centred: (n, d) x − b_dec; g: (prefixes, n, d) the gradients at
    the reconstructions; code: of `by_latent`; extra: AuxK's gradients."""

    centred: np.ndarray
    g: np.ndarray
    code: tuple
    extra: tuple


class Member:
    """One SAE of the sweep in training."""

    def __init__(self, settings: Settings, k: int, d: int, latents: int, seed: int):
        self.settings, self.k = settings, k
        w_dec = initial_directions(d, latents, seed)
        self.parameters = {
            "w_enc": w_dec.copy(),
            "b_enc": np.zeros(latents, np.float32),
            "w_dec": w_dec,
            "b_dec": np.zeros(d, np.float32),
        }
        self.silent = np.zeros(latents, np.int64)  # rows since each latent fired
        self.length = np.full(latents, INITIAL_LENGTH, np.float32)
        self.norm = np.ones(1)  # of the gradient before
        self.adam = Adam(self.parameters)
        self.ends = np.array(self.prefixes(latents))

    def prefixes(self, latents: int) -> list[int]:
        """Where the nested dictionaries end that each reconstruct the rows: here, all latents."""
        return [latents]

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array that training changes, live; `adam.steps` beside them is all of its state."""
        return {**self.adam.arrays(), "silent": self.silent, "length": self.length,
                "norm": self.norm}  # fmt: skip

    def step(self, x: np.ndarray, rate: float, fraction: float) -> None:
        """One update on x: (n, d) float32. fraction: of training done (unused by this type)."""
        first = not self.adam.steps
        if first:
            self.scale_encoder(x)
        made = self._backward(x)
        number = x.dtype.type
        scalars, g_enc = self.adam.advance(rate), np.zeros_like(self.parameters["b_dec"])
        scale = number(1 / self.norm[0])
        square = update_latents(
            made.centred, made.g, made.code, self.ends, made.extra,
            *(self.adam.state(name) for name in ("w_dec", "w_enc", "b_enc")), self.length,
            scale, tuple(map(number, scalars)), g_enc,
        )  # fmt: skip
        g_dec = made.g[0].sum(0) - g_enc
        self.adam.update("b_dec", scale * g_dec, scalars)
        norm = np.sqrt(square + np.square(g_dec, dtype=np.float64).sum())
        if norm > 0:
            self.norm[0] = norm
        if first:  # its step is the same at any norm
            self.adam.rescale(1 / self.norm[0])

    def scale_encoder(self, x: np.ndarray) -> None:
        """Make the reconstructions of x: (n, d), without b_dec, as long as its rows on average."""
        p = self.parameters
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
        p = self.parameters
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
        p, n = self.parameters, len(x)
        centred = x - p["b_dec"]
        watched = np.flatnonzero(self.silent + n > self.settings.dead_after)  # dead unless it fires
        index, value, z = self._code(centred, watched)
        g, slope = errors(x, index, value, self.ends, p["w_dec"], p["b_dec"], 2 / n)
        code = ordered(index, value, slope, len(p["b_enc"]))
        self.silent += n
        self.silent[np.diff(code[0]) > 0] = 0
        return Backward(centred, g, code, self._auxiliary(centred, g[-1], watched, z))

    def _code(
        self, centred: np.ndarray, watched: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The code of rows (n, d), as index and value: (n, any), active latents first, ascending,
        and z: (n, w), the rectified pre-activations of the latents ``watched``."""
        p, n = self.parameters, len(centred)
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
        settings, w_dec = self.settings, self.parameters["w_dec"]
        place = np.full(len(w_dec), -1, np.int64)
        still = self.silent[watched] > settings.dead_after
        dead = watched[still]
        aux_k = min(settings.aux_k, len(dead))
        if not aux_k or not settings.aux_weight:
            nothing = np.empty((0, w_dec.shape[1]), z.dtype)
            return place, nothing, nothing, np.empty(0, z.dtype)
        place[dead] = np.arange(len(dead))
        scale = settings.aux_weight * min(len(dead) / settings.aux_k, 1.0)
        gradients = sparse_auxiliary if SPARSE * aux_k <= len(dead) else dense_auxiliary
        z = np.ascontiguousarray(z[:, still])
        return place, *gradients(centred, g, z, aux_k, scale, w_dec[dead])

    def dictionary(self) -> Dictionary:
        """The SAE as it is now, with the pre-encoder bias folded in."""
        p = self.parameters
        b_enc = p["b_enc"] - p["w_enc"] @ p["b_dec"]
        return Dictionary(p["w_enc"].copy(), b_enc, p["w_dec"].copy(), p["b_dec"].copy(), self.k)


def sparse_auxiliary(centred, g, z, aux_k, scale, w_dec):
    """Gradients of w_dec, w_enc: (dead, d) and b_enc: (dead,) of scale · mean_rows ‖e − ê‖².

    centred, g: as in `Backward`, g of the last prefix: −2 e / n; z: (n, dead) rectified
    pre-activations, of which the largest aux_k of a row make ê; w_dec: (dead, d).
    """
    n, latents = z.shape
    index, value = np.empty((n, aux_k), np.int32), np.empty((n, aux_k), z.dtype)
    top_rows(z, aux_k, index, value)
    ends, error = np.array([latents]), g * z.dtype.type(-n / 2)
    g, slope = errors(error, index, value, ends, w_dec, np.zeros_like(w_dec[0]), 2 * scale / n)
    found = np.empty_like(w_dec), np.empty_like(w_dec), np.empty(latents, z.dtype)
    gradient_latents(centred, g, ordered(index, value, slope, latents), ends, *found)
    return found


def dense_auxiliary(centred, g, z, aux_k, scale, w_dec):
    """As `sparse_auxiliary`, by matrix products; z is overwritten."""
    n, latents = z.shape
    if aux_k < latents:
        keep_top_rows(z, aux_k)
    error = z @ w_dec
    error *= z.dtype.type(2 * scale / n)
    error += z.dtype.type(scale) * g
    g_pre = error @ w_dec.T
    gate_rows(g_pre, z, np.zeros(latents, z.dtype))
    return z.T @ error, g_pre.T @ centred, g_pre.sum(0)


class Stacked:
    """L of M members in torch (saes/stacked.py). Only methods of tensors, so torch is not loaded."""

    unit_decoder = True

    def __init__(self, members: list[Member], like):
        self.settings, self.ends = members[0].settings, members[0].ends.tolist()
        self.k = [member.k for member in members]
        ranks, k = like.new_tensor(range(max(self.k))), like.new_tensor(self.k)
        self.kept = ranks < k[:, None, None]  # (M, 1, largest k): of a row's largest, in order

    def start(self, p, x):
        """Make the reconstructions of x: (M, n, d), without b_dec, as long as its rows on average."""
        centred = x - p["b_dec"][:, None]
        made = self.code(centred.bmm(p["w_enc"].mT) + p["b_enc"][:, None]).bmm(p["w_dec"])
        square, length = (a.double().square().sum((1, 2), keepdim=True) for a in (centred, made))
        scale = (square / length).sqrt().where(length > 0, 1.0)
        p["w_enc"].mul_(scale.to(x.dtype))

    def losses(self, p, x, ramp, state):
        """(M,), the firing counters brought up to date."""
        w_enc, b_dec, w_dec = p["w_enc"], p["b_dec"], p["w_dec"]
        base = x.bmm(w_enc.mT)
        code = self.code(base + encoder_bias(w_enc, p["b_enc"], b_dec))
        losses, made, begin = 0, b_dec[:, None], 0
        for end in self.ends:
            made = made + code[..., begin:end].bmm(w_dec[:, begin:end])
            losses, begin = losses + squared_error(x, made), end
        silent = state["silent"]
        silent.add_(x.shape[1]).masked_fill_((code.detach() > 0).any(1), 0)
        if not self.settings.aux_weight or not self.settings.aux_k:
            return losses
        dead = silent > self.settings.dead_after
        pre = base + encoder_bias(w_enc, p["b_enc"], b_dec.detach())
        return losses + self._auxiliary(pre * dead[:, None], dead, (x - made).detach(), w_dec)

    def _auxiliary(self, pre, dead, error, w_dec):
        """AuxK's losses. pre: (M, n, h), 0 where not dead; dead: (M, h); error: (M, n, d)."""
        aux_k = self.settings.aux_k
        z = pre.relu() if aux_k >= pre.shape[-1] else scattered(pre, *pre.topk(aux_k, sorted=False))
        scale = (dead.sum(-1, dtype=z.dtype) / aux_k).clamp(max=1.0)
        return self.settings.aux_weight * scale * squared_error(error, z.bmm(w_dec))

    def code(self, pre):
        """z of pre-activations, both (M, n, h)."""
        value, index = pre.topk(self.kept.shape[-1])
        return scattered(pre, value * self.kept, index)


def scattered(pre, value, index):
    """Zeros like ``pre``, and ReLU(value) where index says, each (M, n, any). A GPU would take four
    times as long for a ReLU of all of ``pre``, and its gradient."""
    return pre.new_zeros(pre.shape).scatter(-1, index, value.relu())


def encoder_bias(w_enc, b_enc, b_dec):
    """(M, 1, h) what b_enc and the pre-encoder bias add to x W_encᵀ."""
    return (b_enc - (w_enc @ b_dec[..., None])[..., 0])[:, None]


def squared_error(x, made):
    """mean_rows ‖x − x̂‖²: (M, n, d) → (M,)."""
    return (x - made).square().sum(-1).mean(-1)
