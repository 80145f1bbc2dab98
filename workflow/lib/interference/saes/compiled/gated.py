"""Gated's compiled step: the loss of `types.gated` without a pass per operation."""

import numpy as np

from interference.kernels.compile import cached
from interference.kernels.gathered import normalise_rows, remove_parallel
from interference.saes.member import Member, ramp


class Step:
    """Moves one member."""

    def __init__(self, member: Member):
        self.member, self.settings = member, member.settings
        self.penalty = member.sparsity * len(member.parameters["b_dec"]) ** 0.5

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


@cached
def gated_rows(base, b_gate, scale, b_mag, gate, code):
    """gate ← ReLU(base + b_gate); code ← ReLU(scale · base + b_mag) where gate > 0, else 0.

    base, gate, code: (n, h); b_gate, scale, b_mag: (h,).
    """
    for r in range(base.shape[0]):
        for i in range(base.shape[1]):
            v, u = base[r, i] + b_gate[i], scale[i] * base[r, i] + b_mag[i]
            gate[r, i] = v if v > 0 else 0
            code[r, i] = u if v > 0 and u > 0 else 0


@cached
def gated_backward(base, scale, gate, code, g_gate, g_code, b_gate, log_scale, b_mag):
    """Through `gated_rows`: g_gate ← dL/dbase in place, and three gradients (h,) are added to.

    g_gate, g_code: (n, h) dL/dgate and dL/dcode. b_gate, log_scale, b_mag: of the biases and of
    the logarithm of the scale. The open or shut gate of a code has no gradient.
    """
    for r in range(base.shape[0]):
        for i in range(base.shape[1]):
            through = base[r, i] - base[r, i]
            if gate[r, i] > 0:
                through += g_gate[r, i]
                b_gate[i] += g_gate[r, i]
            if code[r, i] > 0:
                scaled = g_code[r, i] * scale[i]
                through += scaled
                log_scale[i] += scaled * base[r, i]
                b_mag[i] += g_code[r, i]
            g_gate[r, i] = through
