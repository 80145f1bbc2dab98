"""JumpReLU's compiled step: the loss of `types.jumprelu` without a dense code or gradient."""

import numpy as np

from interference.kernels.codes import errors, gradient_latents, ordered, rows_above
from interference.kernels.compile import cached
from interference.kernels.dense import lane_dot
from interference.kernels.gathered import normalise_rows, remove_parallel
from interference.kernels.vectors import LANES
from interference.saes.member import Member, ramp


class Step:
    """Moves one member."""

    def __init__(self, member: Member):
        self.member, self.settings = member, member.settings
        d = len(member.parameters["b_dec"])
        self.penalty, self.bandwidth = member.sparsity * d, self.settings.bandwidth * d**0.5

    def step(self, x: np.ndarray, rate: float, fraction: float) -> None:
        """One update on x: (n, d) float32. fraction: of training done before this step."""
        w_dec = self.member.parameters["w_dec"]
        gradients = self.gradients(x, self.penalty * ramp(self.settings, fraction))
        remove_parallel(gradients["w_dec"], w_dec)
        self.member.adam.step(gradients, rate)
        normalise_rows(w_dec)

    def gradients(self, x: np.ndarray, penalty: float) -> dict[str, np.ndarray]:
        """Gradients of L at λ = penalty. x: (n, d)."""
        p = self.member.parameters
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


@cached
def jump_rows(pre, threshold, bandwidth, g, w_dec, penalty, gradient):
    """Add to ``gradient`` (h,) the straight-through one of JumpReLU's thresholds θ (h,).

    pre: (n, h) pre-activations z; g: (n, d) dL/dx̂; penalty: the L0 penalty of one active latent.
    Every z within half a bandwidth of θ adds −(θ · g·w_dec[i] + penalty) / bandwidth.
    """
    half, lanes = bandwidth / 2, np.empty(LANES, g.dtype)
    for r in range(pre.shape[0]):
        for i in range(pre.shape[1]):
            if abs(pre[r, i] - threshold[i]) < half:
                slope = lane_dot(g[r], w_dec[i], lanes)
                gradient[i] -= (threshold[i] * slope + penalty) / bandwidth
