"""Gated SAE (Rajamanoharan et al. 2024, arXiv 2404.16014, §3.2).

    c = W_gate (x − b_dec),   a = ReLU(c + b_gate),   u = exp(r) · c + b_mag
    f = H(a) · ReLU(u),   x̂ = W_decᵀ f + b_dec
    L = mean_rows ( ‖x − x̂‖² + λ Σ_i a_i + ‖x − W̄_decᵀ a − b̄_dec‖² ),   λ = l1 · √d

x: (d,), c, a, u, r: (h,). The gate a says which latents are active, the magnitude u how much; the
two share W_gate up to the scale exp(r) a latent. H (1 above 0, else 0) has no gradient, so the gate
learns from the last two terms; the decoder of the third, barred, is a constant. Decoder rows
have unit norm, W_gate = W_dec at the start; λ rises linearly over the first part.

Folded (its appendix on JumpReLU): c + b_gate > 0 where u > b_mag − exp(r) · b_gate, so f is u where
it exceeds θ = max(b_mag − exp(r) · b_gate, 0): a JumpReLU SAE of W_enc = exp(r) · W_gate.
"""

import numpy as np

from interference.config.saes import Gated
from interference.saes.adam import Adam
from interference.saes.dictionary import Dictionary, initial_directions
from interference.saes.kernels import gated_backward, gated_rows
from interference.saes.sparse import normalise_rows, remove_parallel

SPARSITY = "l1"
Settings = Gated


class Member:
    """One SAE of the sweep in training."""

    def __init__(self, settings: Settings, l1: float, d: int, latents: int, seed: int):
        self.settings = settings
        self.penalty = l1 * d**0.5
        w_dec = initial_directions(d, latents, seed)
        self.parameters = {
            "w_gate": w_dec.copy(),
            "b_gate": np.zeros(latents, np.float32),
            "r_mag": np.zeros(latents, np.float32),
            "b_mag": np.zeros(latents, np.float32),
            "w_dec": w_dec,
            "b_dec": np.zeros(d, np.float32),
        }
        self.adam = Adam(self.parameters)

    def step(self, x: np.ndarray, rate: float, fraction: float) -> None:
        """One update on x: (n, d) float32. fraction: of training done before this step."""
        warmup = self.settings.warmup_fraction
        penalty = self.penalty * (min(1.0, fraction / warmup) if warmup else 1.0)
        gradients = self.gradients(x, penalty)
        remove_parallel(gradients["w_dec"], self.parameters["w_dec"])
        self.adam.step(gradients, rate)
        normalise_rows(self.parameters["w_dec"])

    def gradients(self, x: np.ndarray, penalty: float) -> dict[str, np.ndarray]:
        """Gradients of L at λ = penalty. x: (n, d)."""
        p = self.parameters
        n, number = len(x), x.dtype.type
        centred, scale = x - p["b_dec"], np.exp(p["r_mag"])
        base = centred @ p["w_gate"].T
        gate, code = np.empty_like(base), np.empty_like(base)
        gated_rows(base, p["b_gate"], scale, p["b_mag"], gate, code)
        g = (code @ p["w_dec"] - centred) * number(2 / n)
        g_auxiliary = (gate @ p["w_dec"] - centred) * number(2 / n)
        g_gate, g_code = g_auxiliary @ p["w_dec"].T, g @ p["w_dec"].T
        g_gate += number(penalty / n)
        sums = {name: np.zeros_like(p[name]) for name in ("b_gate", "r_mag", "b_mag")}
        gated_backward(base, scale, gate, code, g_gate, g_code, *sums.values())
        return {
            "w_gate": g_gate.T @ centred,
            **sums,
            "w_dec": code.T @ g,
            "b_dec": g.sum(0) - g_gate.sum(0) @ p["w_gate"],
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array that training changes, live; `adam.steps` beside them is all of its state."""
        return self.adam.arrays()

    def dictionary(self) -> Dictionary:
        """The SAE as it is now, with the gate folded into a threshold and b_dec into b_enc."""
        p = self.parameters
        scale = np.exp(p["r_mag"])
        w_enc = p["w_gate"] * scale[:, None]
        threshold = np.maximum(p["b_mag"] - scale * p["b_gate"], 0)
        b_enc = p["b_mag"] - w_enc @ p["b_dec"]
        return Dictionary(w_enc, b_enc, p["w_dec"].copy(), p["b_dec"].copy(), threshold=threshold)


class Stacked:
    """L of M members in torch (saes/stacked.py). Only methods of tensors, so torch is not loaded."""

    unit_decoder = True

    def __init__(self, members: list[Member], like):
        self.penalty = like.new_tensor([member.penalty for member in members])

    def losses(self, p, x, ramp, state):
        """(M,)."""
        w_gate, w_dec, b_dec = p["w_gate"], p["w_dec"], p["b_dec"][:, None]
        base = x.bmm(w_gate.mT) - b_dec.bmm(w_gate.mT)
        gate = (base + p["b_gate"][:, None]).relu()
        magnitude = (p["r_mag"].exp()[:, None] * base + p["b_mag"][:, None]).relu()
        made = (magnitude * (gate > 0)).bmm(w_dec) + b_dec
        by_gate = gate.bmm(w_dec.detach()) + b_dec.detach()
        errors = (x - made).square().sum(-1) + (x - by_gate).square().sum(-1)
        return errors.mean(-1) + ramp * self.penalty * gate.sum(-1).mean(-1)
