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

import numpy as np

from interference.config.saes import JumpRelu
from interference.saes.adam import Adam
from interference.saes.codes import errors, ordered
from interference.saes.dictionary import Dictionary, initial_directions
from interference.saes.kernels import jump_rows, rows_above
from interference.saes.sparse import gradient_latents, normalise_rows, remove_parallel

SPARSITY = "l0"
Settings = JumpRelu


class Member:
    """One SAE of the sweep in training."""

    def __init__(self, settings: Settings, l0: float, d: int, latents: int, seed: int):
        self.settings = settings
        self.penalty = l0 * d
        self.bandwidth = settings.bandwidth * d**0.5
        start = np.log(settings.initial_threshold * d**0.5)
        w_dec = initial_directions(d, latents, seed)
        self.parameters = {
            "w_enc": w_dec.copy(),
            "b_enc": np.zeros(latents, np.float32),
            "log_threshold": np.full(latents, start, np.float32),
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
        threshold = np.exp(p["log_threshold"])
        pre = x @ p["w_enc"].T
        pre += p["b_enc"]
        index, value = rows_above(pre, threshold)
        ends = np.array([len(threshold)])
        g, slope = errors(x, index, value, ends, p["w_dec"], p["b_dec"], 2 / n)
        found = {name: np.zeros_like(array) for name, array in p.items()}
        gradient_latents(
            x, g, ordered(index, value, slope, len(threshold)), ends,
            found["w_dec"], found["w_enc"], found["b_enc"],
        )  # fmt: skip
        jump_rows(
            pre, threshold, number(self.bandwidth), g[0], p["w_dec"], number(penalty / n),
            found["log_threshold"],
        )  # fmt: skip
        found["log_threshold"] *= threshold
        found["b_dec"] = g[0].sum(0)
        return found

    def arrays(self) -> dict[str, np.ndarray]:
        """Every array that training changes, live; `adam.steps` beside them is all of its state."""
        return self.adam.arrays()

    def dictionary(self) -> Dictionary:
        """The SAE as it is now."""
        p = {name: array.copy() for name, array in self.parameters.items()}
        threshold = np.exp(p["log_threshold"])
        return Dictionary(p["w_enc"], p["b_enc"], p["w_dec"], p["b_dec"], threshold=threshold)


class Stacked:
    """L of M members in torch (saes/stacked.py). Only methods of tensors, so torch is not loaded.

    The straight-through gradients are those of terms that are zero: θ − θ, the second a constant.
    """

    unit_decoder = True

    def __init__(self, members: list[Member], like):
        self.penalty = like.new_tensor([member.penalty for member in members])
        self.bandwidth = members[0].bandwidth

    def losses(self, p, x, ramp, state):
        """(M,)."""
        threshold = p["log_threshold"].exp()[:, None]
        pre = x.bmm(p["w_enc"].mT) + p["b_enc"][:, None]
        above = pre > threshold
        near = (pre - threshold).abs() < self.bandwidth / 2
        jump = near * (threshold - threshold.detach()) / self.bandwidth
        made = (pre * above - threshold.detach() * jump).bmm(p["w_dec"]) + p["b_dec"][:, None]
        active = (above.to(x.dtype) - jump).sum(-1).mean(-1)
        return (x - made).square().sum(-1).mean(-1) + ramp * self.penalty * active
