"""Matryoshka SAE (Bussmann et al. 2025, arXiv 2503.17547) with BatchTopK, as in the paper.

    Z = BatchTopK(ReLU((X − b_dec) W_encᵀ + b_enc)),   x̂_m = Σ_{i < m} z_i W_dec,i + b_dec
    L = Σ_m mean_rows ‖x − x̂_m‖² + AuxK

m runs over nested prefixes of the h latents, the last of them all: each must reconstruct x: (d,) by
itself, so the first latents learn what is general. ``prefixes`` gives each m as a share of h. The
n·k largest entries are chosen once, over all latents. AuxK is that of TopK, with e = x − x̂_h;
unit decoder rows, the tied start and threshold inference are BatchTopK's.
"""

from dataclasses import dataclass

import numpy as np

from interference.saes.kernels import backward_rows, decode_rows
from interference.saes.types import batch_topk, topk

SPARSITY = "k"


@dataclass(frozen=True)
class Settings(topk.Settings):
    """As of BatchTopK, and where each prefix ends: rising shares of the latents, the last 1."""

    prefixes: list[float]


class Member(batch_topk.Member):
    """One SAE of the sweep in training."""

    def _add_reconstruction(
        self, gradients: dict[str, np.ndarray], x: np.ndarray, centred: np.ndarray,
        index: np.ndarray, value: np.ndarray,
    ) -> np.ndarray:  # fmt: skip
        p = self.parameters
        latents = len(p["b_enc"])
        ends = [round(share * latents) for share in self.settings.prefixes]
        nothing, part = np.zeros_like(p["b_dec"]), np.empty_like(x)
        error, groups, errors = -centred, [], []
        for start, end in zip([0, *ends], ends):
            group = np.where((index >= start) & (index < end), value, 0)
            decode_rows(index, group, p["w_dec"], nothing, part)
            error = error + part  # x̂_m − x
            groups.append(group)
            errors.append(error)
        g = np.zeros_like(x)  # dL/dz of a latent comes from every prefix that holds it
        for group, residual in zip(reversed(groups), reversed(errors)):
            g += residual * x.dtype.type(2 / len(x))
            backward_rows(
                centred, g, index, group, p["w_dec"],
                gradients["w_dec"], gradients["w_enc"], gradients["b_enc"],
            )  # fmt: skip
        gradients["b_dec"] = g.sum(0) - gradients["b_enc"] @ p["w_enc"]
        return -error


class Stacked(batch_topk.Stacked):
    """L of M members in torch (saes/stacked.py)."""

    def ends(self, latents: int) -> list[int]:
        return [round(share * latents) for share in self.settings.prefixes]
