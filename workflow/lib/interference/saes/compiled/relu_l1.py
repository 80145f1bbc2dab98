"""ReLU's compiled step: the loss of `types.relu_l1` without a pass per operation."""

import numpy as np

from interference.kernels.compile import cached
from interference.kernels.dense import gate_rows, lane_dot, relu_rows
from interference.kernels.vectors import LANES
from interference.saes.member import Member, ramp


class Step:
    """Moves one member."""

    def __init__(self, member: Member):
        self.member, self.settings = member, member.settings
        self.penalty = member.sparsity * len(member.parameters["b_dec"]) ** 0.5

    def step(self, x: np.ndarray, rate: float, fraction: float) -> None:
        """One update on x: (n, d) float32. fraction: of training done before this step."""
        gradients = self.gradients(x, self.penalty * ramp(self.settings, fraction))
        norm = sum(sum_of_squares(g.reshape(-1)) for g in gradients.values()) ** 0.5
        if norm > self.settings.gradient_clip:
            for g in gradients.values():
                g *= g.dtype.type(self.settings.gradient_clip / norm)
        self.member.adam.step(gradients, rate)

    def gradients(self, x: np.ndarray, penalty: float) -> dict[str, np.ndarray]:
        """Gradients of L at λ = penalty. x: (n, d)."""
        p = self.member.parameters
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


@cached
def sum_of_squares(array):
    """Σ a² of a flat array, in float64."""
    lanes = np.zeros(LANES)
    whole = array.shape[0] - array.shape[0] % LANES
    for start in range(0, whole, LANES):
        for e in range(LANES):
            a = np.float64(array[start + e])
            lanes[e] += a * a
    for i in range(whole, array.shape[0]):
        lanes[i - whole] += np.float64(array[i]) ** 2
    total = 0.0
    for e in range(LANES):
        total += lanes[e]
    return total


@cached
def row_norms(w, norms):
    """norms ← ‖w_i‖. w: (h, d); norms: (h,)."""
    lanes = np.empty(LANES, w.dtype)
    for i in range(w.shape[0]):
        norms[i] = np.sqrt(lane_dot(w[i], w[i], lanes))


@cached
def add_scaled_rows(gradient, factor, w):
    """gradient_i ← gradient_i + factor_i · w_i. (h, d), factor: (h,)."""
    for i in range(w.shape[0]):
        for c in range(w.shape[1]):
            gradient[i, c] += factor[i] * w[i, c]
