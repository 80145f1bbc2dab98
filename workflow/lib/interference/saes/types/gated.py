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

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from interference.config.saes import Gated
from interference.saes.dictionary import Dictionary, initial_directions

if TYPE_CHECKING:  # a job on a CPU loads no torch: these are methods of tensors
    from torch import Tensor

SPARSITY = "l1"
Settings = Gated
UNIT_DECODER = True


def parameters(settings: Settings, d: int, latents: int, seed: int) -> dict[str, np.ndarray]:
    """W_gate, W_dec: (h, d); b_gate, r_mag (r above), b_mag: (h,); b_dec: (d,)."""
    w_dec = initial_directions(d, latents, seed)
    return {
        "w_gate": w_dec.copy(),
        "b_gate": np.zeros(latents, np.float32),
        "r_mag": np.zeros(latents, np.float32),
        "b_mag": np.zeros(latents, np.float32),
        "w_dec": w_dec,
        "b_dec": np.zeros(d, np.float32),
    }


def loss(
    p: Mapping[str, Tensor], x: Tensor, l1: Tensor, settings: Settings, state: Mapping[str, Tensor]
) -> Tensor:
    """L: (M,); arguments as of `SaeType.loss`."""
    penalty = l1 * x.shape[-1] ** 0.5
    w_gate, w_dec, b_dec = p["w_gate"], p["w_dec"], p["b_dec"]
    c = x @ w_gate.mT - b_dec @ w_gate.mT
    a = (c + p["b_gate"]).relu()
    u = p["r_mag"].exp() * c + p["b_mag"]
    made = ((a > 0) * u.relu()) @ w_dec + b_dec
    by_gate = a @ w_dec.detach() + b_dec.detach()
    errors = (x - made).square().sum(-1) + (x - by_gate).square().sum(-1)
    return errors.mean(-1) + penalty * a.sum(-1).mean(-1)


def dictionary(p: Mapping[str, np.ndarray], l1: float) -> Dictionary:
    """With the gate folded into a threshold, and b_dec into b_enc."""
    scale = np.exp(p["r_mag"])
    w_enc = p["w_gate"] * scale[:, None]
    threshold = np.maximum(p["b_mag"] - scale * p["b_gate"], 0)
    b_enc = p["b_mag"] - w_enc @ p["b_dec"]
    return Dictionary(w_enc, b_enc, p["w_dec"].copy(), p["b_dec"].copy(), threshold=threshold)
