"""ReLU with an L1 penalty (Conerly et al., "Update on how we train SAEs", April 2024).

    f = ReLU(W_enc x + b_enc),   x̂ = W_decᵀ f + b_dec
    L = mean_rows ( Σ_dims (x − x̂)² + λ Σ_i f_i ‖W_dec,i‖₂ ),   λ = l1 · √d

No pre-encoder bias; the decoder is unconstrained, which the norm in the penalty makes harmless.
W_enc = W_dec at the start, with rows of norm 0.1. λ rises linearly over the first part of
training; the gradient of all parameters together is clipped in norm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from interference.config.saes import ReluL1
from interference.saes.dictionary import Dictionary, initial_directions

if TYPE_CHECKING:  # a job on a CPU loads no torch: these are methods of tensors
    from torch import Tensor

SPARSITY = "l1"
Settings = ReluL1
UNIT_DECODER = False
INITIAL_NORM = 0.1


def parameters(settings: Settings, d: int, latents: int, seed: int) -> dict[str, np.ndarray]:
    """W_enc, W_dec: (h, d); b_enc: (h,); b_dec: (d,)."""
    w = initial_directions(d, latents, seed) * np.float32(INITIAL_NORM)
    return {
        "w_enc": w.copy(),
        "b_enc": np.zeros(latents, np.float32),
        "w_dec": w,
        "b_dec": np.zeros(d, np.float32),
    }


def loss(
    p: Mapping[str, Tensor], x: Tensor, l1: Tensor, settings: Settings, state: Mapping[str, Tensor]
) -> Tensor:
    """L: (M,); arguments as of `SaeType.loss`."""
    penalty = l1 * x.shape[-1] ** 0.5
    f = (x @ p["w_enc"].mT + p["b_enc"]).relu()
    made = f @ p["w_dec"] + p["b_dec"]
    lengths = (f.mean(-2) * p["w_dec"].norm(dim=-1)).sum(-1)
    return (x - made).square().sum(-1).mean(-1) + penalty * lengths


def dictionary(p: Mapping[str, np.ndarray], l1: float) -> Dictionary:
    """With the decoder norms folded into the encoder."""
    norms = np.linalg.norm(p["w_dec"], axis=1)
    return Dictionary(
        p["w_enc"] * norms[:, None], p["b_enc"] * norms, p["w_dec"] / norms[:, None],
        p["b_dec"].copy(),
    )  # fmt: skip
