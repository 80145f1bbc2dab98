"""JumpReLU with an L0 penalty (Rajamanoharan et al. 2024, arXiv 2407.14435).

    z = W_enc x + b_enc,   f = z · H(z − θ),   x̂ = W_decᵀ f + b_dec,   θ = exp(t) > 0
    L = mean_rows ( Σ_dims (x − x̂)² + λ Σ_i H(z_i − θ_i) )

x: (d,), z, θ: (h,); H is 1 above 0, else 0. W_enc, b_enc have L's ordinary gradient, where H counts
as a constant. θ has the straight-through one, with K = 1 within ½ of 0, else 0 (its §3):

    ∂f_i/∂θ_i = −(θ_i / ε) K((z_i − θ_i) / ε),   ∂H(z_i − θ_i)/∂θ_i = −(1 / ε) K((z_i − θ_i) / ε)

Settings are in the paper's units, where E‖x‖² = 1; here it is d, so λ = l0 · d, ε = bandwidth · √d
and θ starts at initial_threshold · √d. (The paper has 0.001 for both, and far more steps to move θ.)
Decoder rows have unit norm, W_enc = W_dec at the start; λ rises linearly over the first part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from interference.config.saes import JumpRelu
from interference.saes.dictionary import Dictionary, initial_directions

if TYPE_CHECKING:  # a job on a CPU loads no torch: these are methods of tensors
    from torch import Tensor

SPARSITY = "l0"
Settings = JumpRelu
UNIT_DECODER = True


def parameters(settings: Settings, d: int, latents: int, seed: int) -> dict[str, np.ndarray]:
    """W_enc, W_dec: (h, d); b_enc, log_threshold (t above): (h,); b_dec: (d,)."""
    start = np.log(settings.initial_threshold * d**0.5)
    w_dec = initial_directions(d, latents, seed)
    return {
        "w_enc": w_dec.copy(),
        "b_enc": np.zeros(latents, np.float32),
        "log_threshold": np.full(latents, start, np.float32),
        "w_dec": w_dec,
        "b_dec": np.zeros(d, np.float32),
    }


def loss(
    p: Mapping[str, Tensor], x: Tensor, l0: Tensor, settings: Settings, state: Mapping[str, Tensor]
) -> Tensor:
    """L: (M,); arguments as of `SaeType.loss`.

    The straight-through gradients are those of ``jump``, which is zero: θ − θ, the second a constant.
    """
    d = x.shape[-1]
    penalty, bandwidth = l0 * d, settings.bandwidth * d**0.5
    threshold = p["log_threshold"].exp()
    z = x @ p["w_enc"].mT + p["b_enc"]
    above = z > threshold
    near = (z - threshold).abs() < bandwidth / 2
    jump = near * (threshold - threshold.detach()) / bandwidth
    f = z * above - threshold.detach() * jump
    made = f @ p["w_dec"] + p["b_dec"]
    active = (above.to(x.dtype) - jump).sum(-1)
    return (x - made).square().sum(-1).mean(-1) + penalty * active.mean(-1)


def dictionary(p: Mapping[str, np.ndarray], l0: float) -> Dictionary:
    """As it is."""
    w_enc, b_enc, w_dec, b_dec = (p[n].copy() for n in ("w_enc", "b_enc", "w_dec", "b_dec"))
    return Dictionary(w_enc, b_enc, w_dec, b_dec, threshold=np.exp(p["log_threshold"]))
