"""ReLU with an L1 penalty (Conerly et al., "Update on how we train SAEs", April 2024).

    f = ReLU(W_enc x + b_enc),   x̂ = W_decᵀ f + b_dec
    L = mean_rows ( Σ_dims (x − x̂)² + λ Σ_i f_i ‖W_dec,i‖₂ ),   λ = l1 · √d

No pre-encoder bias; the decoder is unconstrained, which the norm in the penalty makes harmless.
W_enc = W_dec at the start, with rows of norm 0.1. λ rises linearly over the first part of
training; the gradient of all parameters together is clipped in norm.
"""

import numpy as np

from interference.config.saes import ReluL1
from interference.saes.adam import Adam
from interference.saes.dictionary import Dictionary, initial_directions
from interference.saes.kernels import (
    add_scaled_rows,
    gate_rows,
    relu_rows,
    row_norms,
    sum_of_squares,
)

SPARSITY = "l1"
Settings = ReluL1
INITIAL_NORM = 0.1


class Member:
    """One SAE of the sweep in training."""

    def __init__(self, settings: Settings, l1: float, d: int, latents: int, seed: int):
        self.settings = settings
        self.penalty = l1 * d**0.5
        w = initial_directions(d, latents, seed) * np.float32(INITIAL_NORM)
        self.parameters = {
            "w_enc": w.copy(),
            "b_enc": np.zeros(latents, np.float32),
            "w_dec": w,
            "b_dec": np.zeros(d, np.float32),
        }
        self.adam = Adam(self.parameters)

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array that training changes, live; `adam.steps` beside them is all of its state."""
        return self.adam.arrays()

    def step(self, x: np.ndarray, rate: float, fraction: float) -> None:
        """One update on x: (n, d) float32. fraction: of training done before this step."""
        warmup = self.settings.warmup_fraction
        penalty = self.penalty * (min(1.0, fraction / warmup) if warmup else 1.0)
        gradients = self.gradients(x, penalty)
        norm = sum(sum_of_squares(g.reshape(-1)) for g in gradients.values()) ** 0.5
        if norm > self.settings.gradient_clip:
            for g in gradients.values():
                g *= g.dtype.type(self.settings.gradient_clip / norm)
        self.adam.step(gradients, rate)

    def gradients(self, x: np.ndarray, penalty: float) -> dict[str, np.ndarray]:
        """Gradients of L at λ = penalty. x: (n, d)."""
        p = self.parameters
        n, number = len(x), x.dtype.type
        f = x @ p["w_enc"].T
        relu_rows(f, p["b_enc"])
        g = (f @ p["w_dec"] + p["b_dec"] - x) * number(2 / n)
        norms = np.empty_like(p["b_enc"])
        row_norms(p["w_dec"], norms)
        g_f = g @ p["w_dec"].T
        gate_rows(g_f, f, norms * number(penalty / n))
        g_dec = f.T @ g
        add_scaled_rows(g_dec, f.sum(0) * number(penalty / n) / norms, p["w_dec"])
        return {"w_enc": g_f.T @ x, "b_enc": g_f.sum(0), "w_dec": g_dec, "b_dec": g.sum(0)}

    def dictionary(self) -> Dictionary:
        """The SAE as it is now, with the decoder norms folded into the encoder."""
        p = self.parameters
        norms = np.linalg.norm(p["w_dec"], axis=1)
        return Dictionary(
            p["w_enc"] * norms[:, None], p["b_enc"] * norms, p["w_dec"] / norms[:, None],
            p["b_dec"].copy(),
        )  # fmt: skip


class Stacked:
    """L of M members in torch (saes/stacked.py). Only methods of tensors, so torch is not loaded."""

    unit_decoder = False

    def __init__(self, members: list[Member], like):
        self.penalty = like.new_tensor([member.penalty for member in members])

    def losses(self, p, x, ramp, state):
        """(M,)."""
        f = (x.bmm(p["w_enc"].mT) + p["b_enc"][:, None]).relu()
        made = f.bmm(p["w_dec"]) + p["b_dec"][:, None]
        lengths = (f.mean(1) * p["w_dec"].norm(dim=-1)).sum(-1)
        return (x - made).square().sum(-1).mean(-1) + ramp * self.penalty * lengths
