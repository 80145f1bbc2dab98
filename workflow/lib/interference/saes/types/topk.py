"""TopK with AuxK (Gao et al. 2024, §2.3 and A.2).

    z = TopK(ReLU(W_enc (x − b_dec) + b_enc)),   x̂ = W_decᵀ z + b_dec
    L = mean_rows ‖x − x̂‖² + weight · min(n_dead / k_aux, 1) · mean_rows ‖e − ê‖²

e = x − x̂ is taken as a constant, ê = W_decᵀ z_dead is made of the top k_aux *dead* latents, without
b_dec: a latent is dead when it has not fired for ``dead_after`` rows. The scale of the auxiliary
loss is SAELens's. Decoder rows have unit norm: the gradient along them is removed and they are
renormalised after each step. A pick whose value is zero does not count as firing.
"""

from dataclasses import dataclass

import numpy as np

from interference.saes.adam import Adam
from interference.saes.dictionary import Dictionary, initial_directions
from interference.saes.kernels import (
    backward_rows,
    decode_rows,
    normalise_rows,
    remove_parallel,
    top_rows,
)

SPARSITY = "k"


@dataclass(frozen=True)
class Settings:
    """The sweep of k, and AuxK's size, weight and patience in rows."""

    k: list[int]
    aux_k: int
    aux_weight: float
    dead_after: int


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
        self.adam = Adam(self.parameters)

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array that training changes, live; `adam.steps` beside them is all of its state."""
        return {**self.adam.arrays(), "silent": self.silent}

    def step(self, x: np.ndarray, rate: float, fraction: float) -> None:
        """One update on x: (n, d) float32. fraction: of training done (unused by this type)."""
        gradients = self.gradients(x)
        remove_parallel(gradients["w_dec"], self.parameters["w_dec"])
        self.adam.step(gradients, rate)
        normalise_rows(self.parameters["w_dec"])

    def gradients(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Gradients of L, and the firing counters brought up to date. x: (n, d)."""
        p = self.parameters
        centred = x - p["b_dec"]
        pre = centred @ p["w_enc"].T
        pre += p["b_enc"]
        index, value = self._code(pre)
        gradients = {name: np.zeros_like(array) for name, array in p.items()}
        error = self._add_reconstruction(gradients, x, centred, index, value)
        self.silent += len(x)
        self.silent[index[value > 0]] = 0
        self._add_auxiliary(gradients, centred, pre, error)
        return gradients

    def _code(self, pre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """z of pre-activations (n, h) as rows of active latents: index and value, (n, any)."""
        index = np.zeros((len(pre), self.k), np.int32)
        value = np.zeros((len(pre), self.k), pre.dtype)
        top_rows(pre, self.k, index, value)
        return index, value

    def _add_reconstruction(
        self, gradients: dict[str, np.ndarray], x: np.ndarray, centred: np.ndarray,
        index: np.ndarray, value: np.ndarray,
    ) -> np.ndarray:  # fmt: skip
        """Add the gradients of the first term of L; returns e = x − x̂."""
        p = self.parameters
        reconstruction = np.empty_like(x)
        decode_rows(index, value, p["w_dec"], p["b_dec"], reconstruction)
        error = x - reconstruction
        g = error * x.dtype.type(-2 / len(x))
        backward_rows(
            centred, g, index, value, p["w_dec"],
            gradients["w_dec"], gradients["w_enc"], gradients["b_enc"],
        )  # fmt: skip
        gradients["b_dec"] = g.sum(0) - gradients["b_enc"] @ p["w_enc"]
        return error

    def _add_auxiliary(
        self, gradients: dict[str, np.ndarray], centred: np.ndarray, pre: np.ndarray,
        error: np.ndarray,
    ) -> None:  # fmt: skip
        """Add the gradients of AuxK: only chosen dead latents get any, b_dec none."""
        dead = np.flatnonzero(self.silent > self.settings.dead_after)
        aux_k = min(self.settings.aux_k, len(dead))
        if not aux_k or not self.settings.aux_weight:
            return
        w_dec = self.parameters["w_dec"][dead]
        z = np.maximum(pre[:, dead], 0)
        if aux_k < len(dead):
            bar = -np.partition(-z, aux_k - 1, axis=1)[:, aux_k - 1 : aux_k]
            z[z < bar] = 0
        scale = self.settings.aux_weight * min(len(dead) / self.settings.aux_k, 1.0)
        g = (z @ w_dec - error) * z.dtype.type(2 * scale / len(z))
        g_pre = (g @ w_dec.T) * (z > 0)
        gradients["w_dec"][dead] += z.T @ g
        gradients["w_enc"][dead] += g_pre.T @ centred
        gradients["b_enc"][dead] += g_pre.sum(0)

    def dictionary(self) -> Dictionary:
        """The SAE as it is now, with the pre-encoder bias folded in."""
        p = self.parameters
        b_enc = p["b_enc"] - p["w_enc"] @ p["b_dec"]
        return Dictionary(p["w_enc"].copy(), b_enc, p["w_dec"].copy(), p["b_dec"].copy(), self.k)


class Stacked:
    """L of M members in torch (saes/stacked.py). Only methods of tensors, so torch is not loaded."""

    unit_decoder = True

    def __init__(self, members: list[Member], like):
        self.settings, self.k = members[0].settings, [member.k for member in members]
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
        for end in self.ends(code.shape[-1]):
            made = made + code[..., begin:end].bmm(w_dec[:, begin:end])
            losses, begin = losses + squared_error(x, made), end
        silent = state["silent"]
        silent.add_(x.shape[1]).masked_fill_((code > 0).any(1), 0)
        if not self.settings.aux_weight or not self.settings.aux_k:
            return losses
        rectified = (base + encoder_bias(w_enc, p["b_enc"], b_dec.detach())).relu()
        dead = silent > self.settings.dead_after
        return losses + self._auxiliary(rectified, dead, (x - made).detach(), w_dec)

    def _auxiliary(self, rectified, dead, error, w_dec):
        """AuxK's losses. rectified: (M, n, h); dead: (M, h); error: (M, n, d)."""
        aux_k, z = self.settings.aux_k, rectified * dead[:, None]
        if aux_k < z.shape[-1]:
            bar = z.detach().topk(aux_k, sorted=False).values.amin(-1, keepdim=True)
            z = z * (z >= bar)
        scale = (dead.sum(-1, dtype=z.dtype) / aux_k).clamp(max=1.0)
        return self.settings.aux_weight * scale * squared_error(error, z.bmm(w_dec))

    def code(self, pre):
        """z of pre-activations, both (M, n, h)."""
        value, index = pre.relu().topk(self.kept.shape[-1])
        return pre.new_zeros(pre.shape).scatter(-1, index, value * self.kept)

    def ends(self, latents: int) -> list[int]:
        """Where the nested dictionaries end that each reconstruct the rows: here, all latents."""
        return [latents]


def encoder_bias(w_enc, b_enc, b_dec):
    """(M, 1, h) what b_enc and the pre-encoder bias add to x W_encᵀ."""
    return (b_enc - (w_enc @ b_dec[..., None])[..., 0])[:, None]


def squared_error(x, made):
    """mean_rows ‖x − x̂‖²: (M, n, d) → (M,)."""
    return (x - made).square().sum(-1).mean(-1)
